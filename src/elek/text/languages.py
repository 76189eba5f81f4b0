"""Language codes: the valid ones, and suggestions for invalid ones.

Valid are the codes of ISO 639-1 (two letters), those of ISO 639-2 for languages without a shorter one, those of ISO
639-3 that fastText's model returns, and `qaa` to `qtz`, which ISO 639-2 reserves for private use. Suggestions are found
by codes of three letters and by names in English, in Turkish, or in the language itself.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from importlib.resources import files

from elek.errors import nearest

_OWN = re.compile("q[a-t][a-z]")


@cache
def _table() -> dict[str, tuple[str, ...]]:
    """Code → other names for it, in lower case: codes of three letters, and names."""
    lines = files("elek.text").joinpath("languages.tsv").read_text(encoding="utf-8").splitlines()
    table = {}
    for line in lines:
        code, longer, names = line.split("\t")
        table[code] = (*longer.split(), *(_plain(name) for name in names.split(", ") if name))
    return table


def _plain(name: str) -> str:
    """The name in lower case and without diacritics, so that `Türkçe` and `turkce` are equal."""
    apart = unicodedata.normalize("NFD", name.replace("ı", "i").lower())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def check(code: str) -> str | None:
    """None for a valid code, otherwise a message with the most similar valid one."""
    table = _table()
    if code in table or _OWN.fullmatch(code):
        return None
    meant = {other: known for known, others in table.items() for other in others}
    name = meant.get(_plain(code)) or (_plain(code) if _plain(code) in table else None)
    if name is None and (near := nearest(_plain(code), meant, 0.7)) is not None:
        name = meant[near]
    if name is None:
        fix = "write ISO 639's, such as `tr`, or one of your own, `qaa` to `qtz`"
        return f"`{code}` is no language code that Elek knows: {fix}"
    called = next((f" ({other.title()})" for other in table[name] if len(other) > 3), "")
    return f"`{code}` is no language code: did you mean `{name}`{called}?"
