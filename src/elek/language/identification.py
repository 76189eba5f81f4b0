"""See the package's text."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from elek.filtering import UNDETERMINED

PREFIX = 1000
"""Characters of a document that fastText reads."""

CONFIRM = 500
"""Characters that the second identifier reads."""

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
    r"[ñəäňýžêÑƏÄŇÝŽÊʻ]"
    r"|\b(?=\w*(?:[qwxQWX]|[bcçdfghjklmnprsştvz]y\b))\w*[ıİğĞşŞçÇöÖüÜ]"  # qullanılaraq, arşiwlary, çykdy
    r"|(?:\b|[bcçdfghjklmnpqrsştvwxyz])ğ"  # yazılğan: Turkish has ğ behind vowels alone
    r"|[uo][b-df-hj-np-tv-zğş]{1,2}ı(?:n|nı|na|nda|ndan|sı|sını|m|mız)?\b"  # durumı
    r"|\b(?:içün|kibi|yaki|eken|edi|ediler|köster\w*|kel(?:di|gen|ip)\w*|ber(?:di|gen|ip|mek)\w*"
    r"|üçün|kömek|[Ff]ayl(?!a)\w*|[Yy]addaş\w*|[Tt][ao][bp]ıl(?:madı|dı)|[Ss]aife\w*|[Hh]amısı\w*)\b"
)
# Words that Turkish has in this form and none of its relatives (crh içün, kibi, qadar, çoq, degil; az üçün, kimi), and
# endings that follow one another as in no other language. Also as they are typed without Turkish letters.
_TURKISH = re.compile(
    r"\b(?:ve|i[çc]in|gibi|kadar|[çc]ok|olarak|olan|de[ğg]il|ya da|zaman|yani|[şs]ey|[çc][üu]nk[üu]|b[üu]y[üu]k"
    r"|\w{2,}(?:l(?:eri|arı)n?(?:[dt][ae]n?)?|[ıiuü]n[dt][ae]n?|[ıi]yor\w*|m[ae]kt[ae]\w*|(?:d[ıiuü]r|c[ae]k)(?:l[ae]r)?"
    r"|m[ae]k|[ae]r[ae]k|[lrnm]den|[ıi]l[ıi][kğg][ıi]?|s[ıi]n[ıi]|m[ae]l[ae]r[ıi]?|[dt][ıiuü]rm[ae]\w*))\b"
)  # read in lower case: IGNORECASE would take ı for i


def identify(texts: Sequence[str] | pa.Array | pa.ChunkedArray) -> tuple[pa.Array, pa.Array]:
    """Label (ISO 639 code, string) and score (posterior probability, 4 decimals, float32) of every text.

    A text without a letter is `und` with score 0. Null is read as empty. The answer to one text depends on no
    other. Raises DataError where fastText's model is not installed.
    """
    column = texts if isinstance(texts, (pa.Array, pa.ChunkedArray)) else pa.array(texts, pa.large_string())
    from elek.language import fast  # compiles on first use

    lines = [_line(prefix or "") for prefix in pc.utf8_slice_codeunits(column, 0, PREFIX).to_pylist()]
    names = fast.load()[1]
    numbers, chances = fast.predict(pa.array(lines, pa.large_string()))
    answers = []
    for text, best, probable in zip(lines, numbers.tolist(), chances.tolist(), strict=True):
        said = {names[label]: chance for label, chance in zip(best, probable, strict=True) if label >= 0}
        answers.append(_decide(text, said))
    labels = pa.array([label for label, _ in answers], pa.string())
    scores = np.round(np.array([score for _, score in answers], dtype=np.float64), 4).astype(np.float32)
    return labels, pa.array(scores)


def _line(text: str) -> str:
    """The text as the models read it, in one line; empty where it has no letter."""
    text = " ".join(text.split())
    if not _LETTER.search(text):
        return ""
    return text.lower() if text.isupper() else text  # the models have seen few capitals


def _decide(text: str, fast: dict[str, float]) -> tuple[str, float]:
    """Label and probability of a line, of which fastText says `fast`."""
    if not text:
        return UNDETERMINED, 0.0
    best = max(fast, key=lambda label: fast[label], default=UNDETERMINED)
    sure = fast.get(best, 0.0) >= CONFIDENT
    if sure and best != "tr":
        return best, min(fast[best], 1.0)
    foreign = _NOT_TURKISH.search(text, 0, CONFIRM) is not None
    if sure and not foreign:
        return best, min(fast[best], 1.0)
    from elek.language.bayes import rank  # reads a model of its own, where it is needed

    second = rank(text[:CONFIRM], 8)
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
