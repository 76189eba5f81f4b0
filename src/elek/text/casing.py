"""Case folding that knows of the dotted and the dotless i.

Turkish and Azerbaijani have two letters where other Latin alphabets have one: I/ı and İ/i. Unicode's default
mapping (str.lower) turns "IŞIK" into "işik", which is not "ışık", and "İ" into i plus a combining dot, two
characters that equal nothing a person types (Unicode Standard, SpecialCasing.txt, sections tr and az).
"""

from __future__ import annotations

DOTTED_LANGUAGES = frozenset({"tr", "az", "crh", "tt"})
"""Languages that tell I/ı and İ/i apart in their Latin alphabet."""

_TURKIC = str.maketrans({"I": "ı", "İ": "i"})
_DOT_ABOVE = "\u0307"


def fold(text: str, lang: str) -> str:
    """`text` in lower case, so that two spellings that differ only in case become equal.

    In a language with a dotless i, I becomes ı and İ becomes i: "IŞIK" and "ışık" fold alike, "DİL" and "dil"
    too, and "dil" and "dıl" do not. An English word inside Turkish text follows the Turkish rule. Elsewhere I
    becomes i, and İ becomes one plain i. The length in characters may change only where Unicode itself has no
    one-letter lower case. Composed (NFC) input expected; a decomposed İ (I + U+0307) is understood as well.
    """
    if text.isascii():
        return text.translate(_TURKIC).lower() if lang in DOTTED_LANGUAGES and "I" in text else text.lower()
    text = text.replace("I" + _DOT_ABOVE, "İ")
    if lang in DOTTED_LANGUAGES:
        return text.translate(_TURKIC).lower()
    return text.replace("İ", "i").lower()
