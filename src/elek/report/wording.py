"""The Jinja environment of the templates, and how numbers and names are written in them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

PERSONAL = {
    "card": "card numbers",
    "email": "e-mail addresses",
    "iban": "IBANs",
    "ip": "IP addresses",
    "phone": "telephone numbers",
    "tckn": "Turkish identity numbers",
}
"""Kinds of personal data in words, in the plural."""


def environment() -> Environment:
    """An environment that finds the templates of `elek.report`, with filters for numbers and names."""
    made = Environment(
        loader=PackageLoader("elek.report"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {
        "n": count,
        "mb": megabytes,
        "f": _figure,
        "g": _plain,
        "pc": _percent,
        "share": _share,
        "cell": _cell,
        "breakable": _breakable,
        "personal": _told,
    }
    return made


def count(value: float) -> str:
    """A whole number, in groups of three digits."""
    return f"{value:,.0f}"


def megabytes(value: float) -> str:
    """Bytes in a suitable decimal unit (1 kB = 1,000 bytes)."""
    if value >= 1e6:
        return f"{value / 1e6:,.1f} MB"
    return f"{value / 1e3:,.1f} kB" if value >= 100 else f"{value:.0f} B"


def _figure(value: float | None, digits: int = 3) -> str:
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:,.{digits}f}" if abs(value) < 1e9 else f"{value:.3g}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _plain(value: float) -> str:
    return f"{value:,.6g}"


def _share(value: float, whole: float) -> str:
    return f"{value / whole:.1%}" if whole else "–"


def _breakable(name: object) -> Markup:
    """A rule's name or an address that may break between its words in a narrow column."""
    return Markup(re.sub(r"([._/])|(?=@)", r"\1<wbr>", str(escape(name))))  # noqa: S704 - escaped


def _told(found: Mapping[str, int]) -> str:
    """Kinds of personal data in words with their counts; then the kinds that were not found."""
    there = [f"{count:,} {PERSONAL.get(kind, kind)}" for kind, count in sorted(found.items()) if count]
    absent = [PERSONAL.get(kind, kind) for kind, count in sorted(found.items()) if not count]
    return "; ".join(part for part in (", ".join(there), f"no {', '.join(absent)}" if absent else "") if part)


def _cell(value: object) -> str:
    """Text escaped for a cell of a Markdown table."""
    return str(value).replace("|", "\\|").replace("\n", " ")
