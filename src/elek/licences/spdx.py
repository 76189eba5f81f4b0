"""SPDX licence expressions: parsed, checked and brought to one spelling.

Grammar and identifiers: SPDX specification 3.0, annex "SPDX licence expressions"; the identifiers are those that
license-expression carries (SPDX licence list and ScanCode LicenseDB). `LicenseRef-…` names a licence outside that
list and is valid as such; whether anybody knows what it allows is a question for `elek.licences.categories`.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any

from elek.errors import ParamsError, nearest

PUBLIC_DOMAIN = "LicenseRef-PublicDomain"
"""No copyright (expired, or never there); SPDX has no identifier of its own for that."""

NOASSERTION = "NOASSERTION"
"""SPDX's word for "nobody has looked"; a known word for an unknown licence."""

# Deprecated identifiers that held an exception inside, from the SPDX licence list's notes on each.
_DEPRECATED = {
    "GPL-2.0-with-autoconf-exception": "GPL-2.0-only WITH Autoconf-exception-2.0",
    "GPL-2.0-with-bison-exception": "GPL-2.0-or-later WITH Bison-exception-2.2",
    "GPL-2.0-with-classpath-exception": "GPL-2.0-only WITH Classpath-exception-2.0",
    "GPL-2.0-with-font-exception": "GPL-2.0-only WITH Font-exception-2.0",
    "GPL-2.0-with-GCC-exception": "GPL-2.0-only WITH GCC-exception-2.0",
    "GPL-3.0-with-autoconf-exception": "GPL-3.0-only WITH Autoconf-exception-3.0",
    "GPL-3.0-with-GCC-exception": "GPL-3.0-only WITH GCC-exception-3.1",
}

# What people write where SPDX wants an identifier. Only ever suggested: a guess must not decide about a licence.
_COMMON_NAMES = {
    "mit license": "MIT", "expat": "MIT", "the mit license": "MIT", "bsd": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "new bsd": "BSD-3-Clause", "simplified bsd": "BSD-2-Clause", "apache": "Apache-2.0", "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0", "apache license 2.0": "Apache-2.0", "apache license, version 2.0": "Apache-2.0",
    "gpl": "GPL-3.0-or-later", "gplv2": "GPL-2.0-only", "gplv2+": "GPL-2.0-or-later", "gplv3": "GPL-3.0-only",
    "gplv3+": "GPL-3.0-or-later", "gnu gpl v3": "GPL-3.0-only", "lgpl": "LGPL-3.0-or-later", "lgplv3": "LGPL-3.0-only",
    "lgplv2.1": "LGPL-2.1-only", "agpl": "AGPL-3.0-or-later", "agplv3": "AGPL-3.0-only", "gfdl": "GFDL-1.3-or-later",
    "cc0": "CC0-1.0", "cc-0": "CC0-1.0", "cc by": "CC-BY-4.0", "cc-by": "CC-BY-4.0", "cc by 4.0": "CC-BY-4.0",
    "cc by-sa": "CC-BY-SA-4.0", "cc-by-sa": "CC-BY-SA-4.0", "cc by-sa 4.0": "CC-BY-SA-4.0", "cc by-nc": "CC-BY-NC-4.0",
    "public domain": PUBLIC_DOMAIN, "public-domain": PUBLIC_DOMAIN, "publicdomain": PUBLIC_DOMAIN, "pd": PUBLIC_DOMAIN,
    "gpl2": "GPL-2.0-only", "gpl3": "GPL-3.0-only", "gpl v2": "GPL-2.0-only", "gpl v3": "GPL-3.0-only",
    "gpl-2": "GPL-2.0-only", "gpl-3": "GPL-3.0-only", "lgpl2": "LGPL-2.1-only", "lgpl3": "LGPL-3.0-only",
    "lgpl v3": "LGPL-3.0-only", "agpl3": "AGPL-3.0-only", "bsd3": "BSD-3-Clause", "bsd-3": "BSD-3-Clause",
    "bsd2": "BSD-2-Clause", "kamu malı": PUBLIC_DOMAIN, "proprietary": "LicenseRef-AllRightsReserved",
    "mpl": "MPL-2.0", "psf": "PSF-2.0", "python": "Python-2.0", "unknown": NOASSERTION, "none": NOASSERTION,
}  # fmt: skip

_REFERENCE = re.compile(r"(?:DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+")
_TOKEN = re.compile(r"[^\s()]+")


@cache
def index() -> dict[str, dict[str, Any]]:
    """Every known licence and exception by its SPDX identifier: ScanCode's record of it."""
    from license_expression import get_license_index

    return {
        str(entry["spdx_license_key"]): entry
        for entry in get_license_index()
        if entry.get("spdx_license_key") and not entry["is_deprecated"]
    }


@cache
def licensing() -> Any:
    """license-expression's parser over `index`, our two own words, and deprecated identifiers as aliases."""
    from license_expression import LicenseSymbol, Licensing

    own = {PUBLIC_DOMAIN, NOASSERTION}
    symbols = [LicenseSymbol(PUBLIC_DOMAIN), LicenseSymbol(NOASSERTION, aliases=("NONE",))]
    for key, entry in index().items():
        aliases = [alias for alias in entry["other_spdx_license_keys"] if alias not in own and alias not in _DEPRECATED]
        symbols.append(LicenseSymbol(key, aliases=tuple(aliases), is_exception=entry["is_exception"]))
    return Licensing(symbols)


@lru_cache(maxsize=65536)
def _parse(expression: str) -> tuple[str, str, str]:
    """(normal form, what is wrong, how to mend it); one of the first two is empty."""
    if not expression.strip(" ()"):
        return "", "the licence is empty", f"name one, or write `{NOASSERTION}` if nobody knows it"
    if len(expression) > 2000:
        return "", "the licence is longer than 2,000 characters", "an SPDX expression is a line, not a text"
    from license_expression import ExpressionError, ExpressionParseError

    text = _TOKEN.sub(lambda token: f"({_DEPRECATED[token[0]]})" if token[0] in _DEPRECATED else token[0], expression)
    try:
        parsed = licensing().parse(text, validate=False, strict=True)
    except (ExpressionError, ExpressionParseError) as error:
        fix = _common_name(expression) or "an SPDX expression reads like `MIT`, `MIT OR Apache-2.0`, `(A AND B) OR C`"
        reason = str(error).splitlines()[0].rstrip(".")
        return "", f"{expression!r} is no SPDX licence expression: {reason}", fix
    if parsed is None:  # white space of a kind that only the parser knows
        return _parse("")
    unknown = [key for key in licensing().unknown_license_keys(parsed) if not _REFERENCE.fullmatch(key)]
    if unknown:
        names = ", ".join(f"`{name}`" for name in unknown)
        return "", f"SPDX knows no licence {names}", _suggest(expression, unknown[0])
    return parsed.render(), "", ""


def _common_name(name: str) -> str | None:
    known = _COMMON_NAMES.get(" ".join(name.lower().split()))
    return f"did you mean `{known}`?" if known else None


def _suggest(expression: str, unknown: str) -> str:
    found = _common_name(expression) or _common_name(unknown)
    if found:
        return found
    if unknown.lower().startswith("licenseref-"):
        return "a reference is `LicenseRef-` and then letters, digits, dots and hyphens"
    plain = {key.lower(): key for key in index() if not key.startswith("LicenseRef-")}
    near = nearest(unknown.lower(), plain, cutoff=0.65)  # a wrong licence is a worse hint than none
    if near:
        return f"did you mean `{plain[near]}`?"
    return "identifiers are listed at https://spdx.org/licenses; a licence of your own is `LicenseRef-some-name`"


def normalise(expression: str, where: str | None = None) -> str:
    """The expression in SPDX's own spelling: `gpl-3.0+ or mit` becomes `GPL-3.0-or-later OR MIT`.

    Deprecated identifiers become their successors, references (`LicenseRef-…`) stay as they are. Raises
    ParamsError, with the nearest valid identifier, for anything that SPDX would not accept.
    """
    normal, problem, fix = _parse(expression)
    if problem:
        raise ParamsError(problem, where=where, fix=fix)
    return normal


def check(expression: str) -> str | None:
    """What is wrong with an expression and how to mend it, in one line; None when it is valid."""
    _, problem, fix = _parse(expression)
    return f"{problem}; {fix}" if problem else None
