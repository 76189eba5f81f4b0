"""The version of a licence that a notice names, and the SPDX identifier that follows from it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from elek.licences.finding import either
from elek.licences.spdx import check, normalise

_VERSION = re.compile(
    rb"(?:version|"
    + either("s[ü]r[ü]m")
    + rb"|v\.?|gpl|gfdl|mpl|apache|licen[cs]e|licen[cs]es/\w+)[^a-z0-9]{0,8}v?(\d(?:\.\d)?)\b"
)
_LATER = re.compile(
    rb"later[^a-z]{1,4}version|daha sonraki|\d\+"
    rb"|or[^a-z]{1,4}(?:\(?at your option\)?[^a-z]{1,4})?(?:any[^a-z]{1,4})?(?:later|newer)"
)

# Families whose identifier carries a version: the versions there are, and what an unnamed one means. SPDX on the
# GNU licences: no version named is any version, so the first one "or later".
_VERSIONS = {
    "GPL": (("1.0", "2.0", "3.0"), "1.0-or-later"),
    "LGPL": (("2.0", "2.1", "3.0"), "2.0-or-later"),
    "AGPL": (("1.0", "3.0"), "3.0-or-later"),
    "GFDL": (("1.1", "1.2", "1.3"), "1.1-or-later"),
    "Apache": (("1.0", "1.1", "2.0"), "2.0"),
    "MPL": (("1.0", "1.1", "2.0"), "2.0"),
    "Artistic": (("1.0", "2.0"), "1.0"),
    "EPL": (("1.0", "2.0"), "2.0"),
    "CDDL": (("1.0", "1.1"), "1.0"),
    "AFL": (("1.1", "1.2", "2.0", "2.1", "3.0"), "3.0"),
}
_GNU = {"GPL", "LGPL", "AGPL", "GFDL"}


def resolve(pattern: str, raw: bytes, start: int, end: int, found: Sequence[str]) -> str:
    """The SPDX identifier of `GPL-{v}`, from the version named around raw[start:end] (lower case).

    `BSD-{n}-Clause` counts the clauses by the phrases found; identifiers without a placeholder stay.
    """
    if "{n}" in pattern:
        return "BSD-4-Clause" if "BSD-4-Clause" in found else _bsd(raw)
    if "{v}" not in pattern:
        return pattern
    name = pattern.split("-", 1)[0]
    versions, unnamed = _VERSIONS[name]
    if name == "Artistic" and b"perl" in raw[start:end]:
        return "Artistic-1.0-Perl OR GPL-1.0-or-later"
    after = raw[start : end + 240]
    for match in _VERSION.finditer(after):
        number = match[1].decode()
        version = number if "." in number else f"{number}.0"
        if version in versions:
            if name not in _GNU:
                return f"{name}-{version}"
            later = _LATER.search(after[match.end() - 1 :])
            return f"{name}-{version}-{'or-later' if later else 'only'}"
    identifier = f"{name}-{unnamed}"
    return normalise(identifier) if check(identifier) is None else identifier


def _bsd(raw: bytes) -> str:
    endorse = re.search(
        rb"neither[^a-z]{1,8}the[^a-z]{1,8}names?|(?:not|to)[^a-z]{1,8}(?:be[^a-z]{1,8}used[^a-z]{1,8}to[^a-z]{1,8})?endorse",
        raw,
    )
    return "BSD-3-Clause" if endorse else "BSD-2-Clause"
