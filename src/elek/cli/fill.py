"""`elek fill`."""

from __future__ import annotations

from dataclasses import asdict

from elek.cli import console


def fill(text: str, *, top_k: int, joint: bool, max_pieces: int, as_json: bool) -> None:
    """The likeliest pieces for each mask, from data/train. Raises what `elek.generation.filling.fill` raises."""
    from elek.generation import filling
    from elek.model.files import load_model
    from elek.vocab.tokenizer import Tokenizer

    project = console.project()
    tokenizer = Tokenizer.load(project / "data" / "vocab")
    model = load_model(project / "data" / "train")
    order: filling.Order = "joint" if joint else "left-to-right"
    filled = filling.fill(model, tokenizer, text, top_k=top_k, order=order, max_pieces=max_pieces)
    if as_json:
        console.print_json({"prompt": text, "joint": joint, "max_pieces": max_pieces, **asdict(filled)})
        return
    for number, mask in enumerate(filled.masks, 1):
        label = f"mask {number}" if len(filled.masks) > 1 else "mask"
        for candidate in mask:
            console.say(f"{label:<8} {candidate.probability:7.2%}  {candidate.piece!r}")
            label = ""
    console.say(filled.text)
