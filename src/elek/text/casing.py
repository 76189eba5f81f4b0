"""Case folding that handles the dotted and the dotless i.

Turkish and Azerbaijani have two letters where other Latin alphabets have one: I/ı and İ/i. Unicode's default
mapping (str.lower) turns "IŞIK" into "işik", which is not "ışık", and "İ" into i plus a combining dot, two
characters that match nothing people type (Unicode Standard, SpecialCasing.txt, sections tr and az).
"""

from __future__ import annotations

DOTTED_LANGUAGES = frozenset({"tr", "az", "crh", "tt"})
"""Languages whose Latin alphabet has both I/ı and İ/i."""

_TURKIC = str.maketrans({"I": "ı", "İ": "i"})
_DOT_ABOVE = "\u0307"


def fold(text: str, lang: str) -> str:
    """`text` in lower case, so that two spellings that differ only in case become equal.

    In a language with a dotless i, I becomes ı and İ becomes i: "IŞIK" and "ışık" become equal, as do "DİL" and "dil",
    but not "dil" and "dıl". An English word inside Turkish text follows the Turkish rule. In other languages, both I
    and İ become i. The number of characters changes only where Unicode has no lower case of one letter. The input
    should be composed (NFC); a decomposed İ (I + U+0307) is handled as well.
    """
    if text.isascii():
        return text.translate(_TURKIC).lower() if lang in DOTTED_LANGUAGES and "I" in text else text.lower()
    text = text.replace("I" + _DOT_ABOVE, "İ")
    if lang in DOTTED_LANGUAGES:
        return text.translate(_TURKIC).lower()
    return text.replace("İ", "i").lower()
