"""Codes of languages: which there are, and which one somebody meant.

ISO 639-1 (two letters, and what ISO 639-2 and 639-3 call the same language in three), the codes of ISO 639-2 for
languages that have no shorter one, those of ISO 639-3 that fastText's model says, and `qaa` to `qtz`, which ISO 639-2
leaves to everybody's own use. Names in English and, where people write them here, in Turkish or the language itself.
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
    """What else each code is called, in small letters: in three letters, and by name."""
    lines = files("elek.text").joinpath("languages.tsv").read_text(encoding="utf-8").splitlines()
    table = {}
    for line in lines:
        code, longer, names = line.split("\t")
        table[code] = (*longer.split(), *(_plain(name) for name in names.split(", ") if name))
    return table


def _plain(name: str) -> str:
    """As it is typed on any keyboard: `Türkçe` and `turkce` are one name."""
    apart = unicodedata.normalize("NFD", name.replace("ı", "i").lower())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def check(code: str) -> str | None:
    """None for a known code; else what is wrong with it, and the nearest one that there is."""
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
