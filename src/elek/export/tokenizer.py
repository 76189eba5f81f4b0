"""The SentencePiece vocabulary as a `tokenizer.json` of Hugging Face `tokenizers`, with the same ids.

Both are BPE, told differently. SentencePiece merges, again and again, the adjacent pair whose *concatenation* has
the best score, the leftmost of equals. `tokenizers` has a ranked list of *pairs*. The list needs one pair per
piece: at the moment when SentencePiece makes a piece, no merge has crossed its borders, and what happened within
them is what would have happened to the piece's own text alone. So the last merge of a piece is always the one
that makes it out of its own text, and no other pair with that concatenation is ever merged. A piece that its own
text does not lead to is never made at all.

Pieces are written with real spaces instead of SentencePiece's U+2581, which leaves U+2581 a character like any
other: without a piece, hence spelled in bytes, as `elek.vocab.tokenizer` does.

A causal model's tokenizer has `split_special_tokens`: the name of a special piece in a text is text, as in training,
and no user of a service can write one. A masked model's has not, for the fill-mask pipeline writes `<mask>` into the
text; so the other special names are no text there either. As for `elek fill`, a text becomes bos, pieces, eos, and
`<mask>` takes in the space before it (all white space, where there is more).
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from elek.dataset import write_json
from elek.export.classes import BOS, EOS, MASK, check_vocabulary
from elek.model.config import ModelConfig
from elek.vocab.params import SPECIAL_PIECES
from elek.vocab.tokenizer import Tokenizer

Objective = Literal["causal", "masked"]


def export_tokenizer(folder: Path, tokenizer: Tokenizer, config: ModelConfig) -> None:
    """Write tokenizer.model, tokenizer.json, tokenizer_config.json and special_tokens_map.json.

    Raises ParamsError for a vocabulary that is not BPE, DataError for one that is not of the model's size.
    """
    content = tokenizer_json(tokenizer, config.objective)
    tokenizer.require(config.vocab_size, "export")
    (folder / "tokenizer.model").write_bytes(tokenizer.model)
    write_json(folder / "tokenizer.json", content)
    special = dict(zip(("unk_token", "bos_token", "eos_token", "pad_token", "mask_token"), SPECIAL_PIECES, strict=True))
    write_json(folder / "special_tokens_map.json", special)
    write_json(
        folder / "tokenizer_config.json",
        {
            **special,
            # The class that takes tokenizer.json as it is; LlamaTokenizer would put its own rules in its place.
            "tokenizer_class": "PreTrainedTokenizerFast",
            "added_tokens_decoder": {str(token.pop("id")): token for token in content["added_tokens"]},
            "model_max_length": config.context,
            "clean_up_tokenization_spaces": False,
            "split_special_tokens": config.causal,
            "model_input_names": ["input_ids", "attention_mask"],
            "padding_side": "left" if config.causal else "right",
        },
    )


def tokenizer_json(tokenizer: Tokenizer, objective: Objective = "causal") -> dict[str, Any]:
    """The content of tokenizer.json. Raises ParamsError for a vocabulary that is not BPE."""
    check_vocabulary(tokenizer.kind)
    first, last = ({"SpecialToken": {"id": SPECIAL_PIECES[index], "type_id": 0}} for index in (BOS, EOS))
    one, other = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    ends = [] if objective == "causal" else [last]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": _added_tokens(tokenizer, objective),
        "normalizer": None,
        # No piece has a space after another character, so that merges never cross these borders: for speed only.
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"Regex": " +[^ ]*|[^ ]+"},
            "behavior": "Isolated",
            "invert": False,
        },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [first, one, *ends],
            "pair": [first, one, *ends, other, *ends],
            "special_tokens": {
                SPECIAL_PIECES[index]: {
                    "id": SPECIAL_PIECES[index],
                    "ids": [index],
                    "tokens": [SPECIAL_PIECES[index]],
                }
                for index in ((BOS, EOS) if ends else (BOS,))
            },
        },
        "decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}]},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": SPECIAL_PIECES[Tokenizer.unk],
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": {_spaced(tokenizer.piece(index)): index for index in range(tokenizer.size)},
            "merges": merges(tokenizer),
        },
    }


def merges(tokenizer: Tokenizer) -> list[list[str]]:
    """The pair that makes each piece of two or more characters, by score; see the module's text."""
    learned = [index for index in range(tokenizer.user_defined.stop, tokenizer.size) if not tokenizer.is_byte(index)]
    scores = {_spaced(tokenizer.piece(index)): tokenizer.score(index) for index in learned}
    pairs = []
    for piece in sorted(scores, key=lambda piece: -scores[piece]):
        symbols = list(piece)
        while len(symbols) > 2:
            found = [(scores.get(left + right), at) for at, (left, right) in enumerate(pairwise(symbols))]
            best = max(((score, -at) for score, at in found if score is not None), default=None)
            if best is None:
                break
            at = -best[1]
            symbols[at : at + 2] = [symbols[at] + symbols[at + 1]]
        if len(symbols) == 2:
            pairs.append(symbols)
    return pairs


def _spaced(piece: str) -> str:
    return piece.replace("\u2581", " ")


def _added_tokens(tokenizer: Tokenizer, objective: Objective) -> list[dict[str, Any]]:
    """Control pieces, which are `special` and, with `split_special_tokens`, never found in a text; and user-defined
    ones, which always are."""
    flags = {"single_word": False, "rstrip": False, "normalized": False}
    return [
        {
            "id": index,
            "content": tokenizer.piece(index),
            **flags,
            "lstrip": objective == "masked" and index == MASK,
            "special": index < tokenizer.controls,
        }
        for index in range(tokenizer.user_defined.stop)
    ]
