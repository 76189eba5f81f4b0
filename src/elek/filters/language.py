"""Language: keep the documents that are in a language that was asked for.

Identification is `elek.language`'s. FineWeb (Penedo et al. 2024, section 3.2) keeps pages whose fastText score is at
least 0.65; the default here is lower, because early modern English and Ottoman Turkish score lower than web pages
and a document has been declared to be in some language by whoever supplied it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator, BaseModel

from elek.decisions import Verdict
from elek.filtering import SHARE, UNDETERMINED, Batch, Filter, Rule, Threshold
from elek.language import UNCERTAIN, identify
from elek.params import Section
from elek.text.languages import check


def _known(codes: tuple[str, ...]) -> tuple[str, ...]:
    for code in codes:
        if problem := check(code):
            raise ValueError(problem)
    return codes


class LanguageParams(Section):
    allow: Annotated[tuple[str, ...], AfterValidator(_known)] = ("en", "tr")
    """ISO 639 codes of the languages to keep."""

    min_score: Threshold = 0.3
    """Least probability of the identified language."""

    min_share: Threshold = None
    """Least share of the text in the identified language; null keeps mixed pages. 0.5 to 0.8 are sensible bounds."""


class LanguageFilter(Filter):
    """Signals: the identified language, its probability, and the language whose rules apply to the document: the
    identified one, or the declared one where identification is a guess. Of a mixed page, the language of most of its
    letters, the share of these, and the language and share that come second (see `elek.language.segments`)."""

    name = "language"
    rank = 30
    signals: ClassVar[Mapping[str, pa.DataType]] = {
        "label": pa.string(),
        "score": pa.float32(),
        "rules": pa.string(),
        "share": pa.float32(),
        "second": pa.string(),
        "second_share": pa.float32(),
    }
    rules = (
        Rule("min_score", "score", "below", 0.3, "a modest bound; FineWeb, section 3.2, takes 0.65", SHARE),
        Rule("min_share", "share", "below", None, "Elek, elek.language.segments: off by default", SHARE),
    )

    @classmethod
    def params_class(cls) -> type[BaseModel]:
        return LanguageParams

    def measure(self, batch: Batch) -> dict[str, pa.Array]:
        """Labels need the text and the declared language only; `batch.lang` is what others take from here."""
        from elek.language.segments import shares  # compiles on first use: not for those who only validate params

        label, score = identify(batch.text)
        parts = shares(batch.text, label.to_pylist(), score.to_numpy())
        label, score = pa.array(parts.label, pa.string()), pa.array(parts.probability)
        declared = pc.fill_null(batch.declared_lang, "")
        guess = pc.less(score, pa.scalar(UNCERTAIN, pa.float32()))
        known = pc.and_(pc.not_equal(declared, ""), pc.not_equal(declared, UNDETERMINED))
        rules = pc.if_else(pc.and_(guess, known), declared, label)
        return {
            "label": label,
            "score": score,
            "rules": rules.cast(pa.string()),
            "share": pa.array(parts.share),
            "second": pa.array(parts.second, pa.string()),
            "second_share": pa.array(parts.second_share),
        }

    def decide(self, signals: pa.Table, params: BaseModel, lang: pa.Array) -> list[Verdict]:
        """`language.allow` judges the language whose rules apply, so a guess does not overrule what is declared.
        Then the score."""
        assert isinstance(params, LanguageParams)  # noqa: S101 - what params_class promised
        failed = pc.invert(pc.is_in(signals["rules"], pa.array(params.allow, pa.string())))
        failing = np.asarray(failed.to_numpy()).astype(bool)
        evidence = np.full(len(failing), None, dtype=object)
        for row in np.flatnonzero(failing):
            label, score, rules = (signals[column][int(row)].as_py() for column in ("label", "score", "rules"))
            said = f"identified as {label} ({score:.2f})"
            said = said if rules == label else f"declared as {rules}, {said}"
            evidence[row] = f"{said}; allowed: {', '.join(params.allow)}"
        none = np.full(len(failing), np.nan)
        verdict = Verdict("language.allow", failing, none, none, pa.array(evidence, pa.string()))
        return [verdict, *super().decide(signals, params, lang)]
