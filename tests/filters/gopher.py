"""Decisions of one filter on one text."""

from __future__ import annotations

import pyarrow as pa
from pydantic import BaseModel

from elek.decisions import Verdict
from elek.filtering import Batch, Filter


def decide(found: Filter, texts: list[str], langs: list[str], params: BaseModel | None = None) -> list[Verdict]:
    names, lang = pa.array([""] * len(texts), pa.string()), pa.array(langs, pa.string())
    batch = Batch(names, pa.array(texts, pa.large_string()), lang, lang, names, names)
    return found.decide(pa.table(found.measure(batch)), params or found.params_class()(), lang)


def failing(found: Filter, text: str, lang: str, params: BaseModel | None = None) -> list[str]:
    """The rules that the text fails, in order."""
    verdicts = decide(found, [text], [lang], params)
    return [verdict.rule.partition(".")[2] for verdict in verdicts if verdict.failed[0]]
