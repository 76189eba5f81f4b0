"""Attention weights of a model that reads a text, and the surprise of each token: an HTML page for teaching.

PyTorch's attention kernel does not return its weights. They are computed again from the queries and keys that reach it,
which works for every shape of model.
"""

from __future__ import annotations

import base64
import html
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - everybody's name for it
from torch.overrides import TorchFunctionMode

from elek.errors import DataError
from elek.generation.decoder import require_causal
from elek.generation.text import TextModel

CANDIDATES = 5


@dataclass(frozen=True)
class Reading:
    """What the model computes for a text of T tokens, bos included."""

    ids: list[int]
    weights: Tensor
    """Attention of each token (row) to those up to it (column), float32 [layers, heads, T, T]; rows sum to 1."""
    logprobs: Tensor
    """Log-probability of each id as the next token, float32 [T, V]."""


def read(model: TextModel, text: str) -> Reading:
    """Read `text` once.

    Raises DataError for a text longer than the context, and ParamsError for a masked model, which sees the whole text
    at once, so that no token can surprise it.
    """
    require_causal(model.model)
    ids, context = model.encode(text), model.model.config.context
    if len(ids) > context:
        raise DataError(
            f"the text has {len(ids)} tokens with <s>, and the model sees {context}",
            where="elek attention",
            fix="take a shorter text: a sentence or two make the clearest picture",
        )
    with torch.inference_mode(), _Recorder() as recorder:
        logits = model.model(torch.tensor([ids], device=model.model.embedding.weight.device))[0]
    return Reading(ids, torch.stack(recorder.weights).cpu(), logits.float().log_softmax(-1).cpu())


class _Recorder(TorchFunctionMode):
    """Records the weights of each call of `scaled_dot_product_attention`, one per layer."""

    def __init__(self) -> None:
        super().__init__()
        self.weights: list[Tensor] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func is F.scaled_dot_product_attention:
            self.weights.append(_weights(*args, **kwargs))
        return func(*args, **kwargs)


def _weights(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, **options: Any) -> Tensor:
    """Attention weights [H, T, S] of one sequence, by the definition."""
    query, key = query[0].float(), key[0].float()
    key = key.repeat_interleave(query.shape[0] // key.shape[0], dim=0)
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    hidden = torch.ones_like(scores[0], dtype=torch.bool).triu(1) if options.get("is_causal") else None
    if attn_mask is not None:
        hidden = ~attn_mask.reshape(attn_mask.shape[-2:])
    return (scores if hidden is None else scores.masked_fill(hidden, -torch.inf)).softmax(-1)


def page(model: TextModel, text: str, name: str) -> str:
    """One self-contained HTML page: the text coloured by surprise, and a map for each layer and head."""
    reading = read(model, text)
    layers, heads, size, _ = reading.weights.shape
    surprise = _surprise(model, reading)
    data = {
        "tokens": [model.piece(index) for index in reading.ids],
        "layers": layers,
        "heads": heads,
        # One byte per weight: a step of 1/255 is not visible.
        "weights": base64.b64encode((reading.weights * 255).round().byte().numpy().tobytes()).decode(),
        "surprise": surprise,
    }
    bits = sum(row["bits"] for row in surprise)
    per_byte = f", {bits / len(text.encode()):.2f} bits per byte" if text else ""
    template = files("elek.generation").joinpath("attention.html").read_text(encoding="utf-8")
    values = {
        "NAME": html.escape(name),
        "FACTS": f"{size} tokens with &lt;s&gt;, {layers} layers, {heads} heads; {bits:.1f} bits in all{per_byte}",
        # Escaped, so that a text with "</script>" cannot end the script.
        "DATA": json.dumps(data, ensure_ascii=False).replace("<", "\\u003c"),
    }
    for key, value in values.items():
        template = template.replace(f"%{key}%", value, 1)
    return template


def _surprise(model: TextModel, reading: Reading) -> list[dict[str, Any]]:
    """For each token but bos: its surprise in bits, its rank, and the likeliest candidates."""
    rows = []
    for position, index in enumerate(reading.ids[1:]):
        logprobs = reading.logprobs[position]
        values, ids = logprobs.topk(min(CANDIDATES, logprobs.numel()))
        rows.append(
            {
                "bits": -float(logprobs[index]) / math.log(2),
                "rank": int((logprobs > logprobs[index]).sum()) + 1,
                "top": [
                    [model.piece(other), math.exp(value)]
                    for other, value in zip(ids.tolist(), values.tolist(), strict=True)
                ],
            }
        )
    return rows
