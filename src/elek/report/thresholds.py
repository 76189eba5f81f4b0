"""The threshold of each rule, written as in params.yaml: `50`, `0.3; tr 0.272`, `permissive`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Params = Mapping[str, Any] | None
"""A stage's params as its manifest records them; None where it records none."""
DUPLICATES = {
    "exact": "exact duplicates",
    "minhash": "near-duplicates",
    "url": "equal URLs",
    "boilerplate": "boilerplate",
}


def applied(filtered: Params, dedup: Params, split: Params) -> list[str]:
    """What is applied to the text, in words: the filters by name, then duplicates, then decontamination."""
    found = [*(filtered or {}), *(told for name, told in DUPLICATES.items() if (dedup or {}).get(name))]
    return [*found, "decontamination"] if (split or {}).get("decontaminate_ngram") else found


def thresholds(filtered: Params, dedup: Params, split: Params) -> dict[str, str]:
    """Threshold by rule. A rule that only answers yes or no has none."""
    found = {
        f"{name}.{rule}": told
        for name, rules in (filtered or {}).items()
        for rule, value in (rules or {}).items()
        if (told := _in_words(value))
    }
    if dedup and dedup.get("minhash"):
        found["dedup.minhash"] = _in_words(dedup["jaccard"])
    if split and split.get("decontaminate_ngram"):
        found["split.contaminated"] = _in_words(split["decontaminate_share"])
    return found


def _in_words(value: Any) -> str:
    """A threshold in words; empty for a value that is none."""
    if isinstance(value, Mapping):
        # By language: `default` is for all that are not named.
        told = {lang: _in_words(own) or "off" for lang, own in value.items()}
        default = told.pop("default", "")
        return "; ".join([*([default] if default else []), *(f"{lang} {own}" for lang, own in sorted(told.items()))])
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, int | float):
        return f"{value:,.6g}"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
