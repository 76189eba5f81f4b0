"""A licence that is named in so many words, without a notice: `License: GPLv3+`, `MIT © Somebody`, a heading "License"
with a name beneath it, PyPI's `License :: OSI Approved :: MIT License`, an SPDX identifier beside the word licence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from elek.licences.finding import EDGE, Finding, at_edge, either, says_of_itself
from elek.licences.links import creative_commons
from elek.licences.spdx import NOASSERTION, PUBLIC_DOMAIN, check, normalise
from elek.licences.versions import resolve

MOST = 64
"""Places that are looked at between the head of a text and its foot: more is a list, which says nothing of itself."""

REACH = 48
"""Bytes from the beginning of a line to the word licence, and from that word to an identifier."""

_WORDS = (b"licen", b"lisans", b"\xc2\xa9")
_MARKS = rb"[ \t]{0,3}(?:[#*/;%>.!|-]{1,4}[ \t]{0,4})?"  # perhaps within a comment, never deeper indented
_NAME = either("(?:licen[cs]e|lisans[ı]?)")
_VALUE = rb"[ \t]{0,4}[\"'`(]{0,2}([^\n\"'`<>{}\[\]|]{2,100})"
_LINES = (
    (0.9, re.compile(
        _MARKS + rb"[\"'*_]{0,2}" + _NAME + rb"(?:[ _-](?:expression|id|type))?"
        rb"[\"'*_]{0,2}[ \t]{0,4}(?:::?|=)[*_]{0,2}(?:[ \t]*\{[ \t]*text[ \t]*=|[ \t]*\r?\n[ \t]*-)?" + _VALUE
    )),
    (0.9, re.compile(rb"[ \t]*<licen[cs]e>\s{0,20}(?:<name>)?" + _VALUE)),
    (0.85, re.compile(rb"#{1,6}[ \t]{1,4}" + _NAME + rb"[ \t]*\n\s{0,4}" + _VALUE)),
    (0.85, re.compile(_NAME + rb"[ \t]*\n[=~^*-]{3,40}[ \t]*\n\s{0,4}" + _VALUE)),
    (0.85, re.compile(
        _MARKS + rb"((?:mit|isc|zlib|bsd|apache|unlicense|cc0|mpl|[al]?gpl)[a-z0-9 .+-]{0,20}?)[ ,.]{1,3}\xc2\xa9[ ]"
    )),
)  # fmt: skip
"""By confidence: a field, a heading and its first line (two ways to write one), and a licence before its holder."""
_NEAR = re.compile(
    rb"licen[cs]e[sd]?[^\n\w]{1,4}(?:\w+[^\n\w]{1,4}){0,3}?(?P<behind>[a-z0-9]{2,12}-[a-z0-9.+-]{1,30})"
    rb"|(?<![\w.-])(?P<before>[a-z0-9]{2,12}-[a-z0-9.+-]{1,30})[ \n]{1,3}licen[cs]ed?\b"
)
_CLASSIFIER = re.compile(r"osi approved\s*::\s*")
_REMARK = re.compile(r"\s[-–—]\s|\s*\(?\bsee\b|\s+for\s|;")

_LICENCE = r"(?:[\s,-]*(?:software\s+)?(?:licen[cs]e|lisans[ıi]))?"
_VERSION = r"(?:[\s,-]*(?:version|ver\.?|v\.?)?\s*\d+(?:\.\d+)*)?"
_LATER = r"(?:\s*\+|[\s,-]*(?:or\s+(?:any\s+)?(?:later|newer)(?:\s+version)?|only))?"
_SHORT = r"(?:\s*\([^()]{1,40}\)?)?"  # classifiers repeat the name in short
_GNU = _LICENCE + _VERSION + _LATER + _LICENCE + _SHORT
_NAMES = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"(?:gnu\s+)?(?:agpl|affero\s+general\s+public)" + _GNU, "AGPL-{v}"),
        (r"(?:gnu\s+)?(?:lgpl|(?:lesser|library)\s+general\s+public)" + _GNU, "LGPL-{v}"),
        (r"(?:gnu\s+)?(?:gpl|general\s+public)" + _GNU, "GPL-{v}"),
        (r"(?:gnu\s+)?(?:g?fdl|free\s+documentation)" + _GNU, "GFDL-{v}"),
        (r"apache" + _LICENCE + _VERSION + _LICENCE + _SHORT, "Apache-{v}"),
        (r"(?:mpl|mozilla\s+public)" + _LICENCE + _VERSION + _SHORT, "MPL-{v}"),
        (r"(?:(?:new|revised|modified|3[\s-]clause)\s+bsd|bsd[\s-]3(?:[\s-]clause)?)" + _LICENCE, "BSD-3-Clause"),
        (r"(?:(?:simplified|freebsd|2[\s-]clause)\s+bsd|bsd[\s-]2(?:[\s-]clause)?)" + _LICENCE, "BSD-2-Clause"),
        (r"bsd(?:[\s-]style)?" + _LICENCE, "BSD-{n}-Clause"),
        (r"(?:mit(?:[\s/-]x11)?|expat)" + _LICENCE + _SHORT, "MIT"),
        (r"isc" + _LICENCE + _SHORT, "ISC"),
        (r"zlib(?:/libpng)?" + _LICENCE + _SHORT, "Zlib"),
        (r"(?:boost|bsl)" + _LICENCE + _VERSION + _SHORT, "BSL-1.0"),
        (r"(?:psf|python(?:\s+software\s+foundation)?)" + _LICENCE + _SHORT, "Python-2.0"),
        (r"artistic" + _LICENCE + _VERSION, "Artistic-{v}"),
        (r"(?:epl|eclipse\s+public)" + _LICENCE + _VERSION + _SHORT, "EPL-{v}"),
        (r"(?:the\s+)?unlicense" + _SHORT, "Unlicense"),
        (r"wtfpl" + _VERSION, "WTFPL"),
        (r"cc0(?:\s+1\.0)?(?:\s+universal)?(?:\s+\(cc0 1\.0\)\s+public\s+domain\s+dedication)?", "CC0-1.0"),
        (r"public[\s-]domain|kamu malı", PUBLIC_DOMAIN),
        (r"(?:other/)?proprietary" + _LICENCE + "|all\\s+rights\\s+reserved", "LicenseRef-AllRightsReserved"),
    )
)
"""What people write where SPDX wants an identifier, from the narrowest on; `{v}` and `{n}` as in `evidence.tsv`."""


def statements(raw: bytes) -> Iterable[Finding]:
    """Each licence that a text in small letters names in these ways, once; the place is that of the name."""
    found: dict[str, Finding] = {}
    for place in _places(raw):
        for finding in _at(raw, place):
            before = found.get(finding.licence)
            if before is None or (finding.own and not before.own):
                found[finding.licence] = finding
    return found.values()


def _places(raw: bytes) -> Iterator[int]:
    """Where one of `_WORDS` stands: at the edges of the text, and at most MOST of each between."""
    foot = len(raw) - EDGE
    for word in _WORDS:
        at, seen = raw.find(word), 0
        while at >= 0:
            yield at
            seen += EDGE <= at < foot
            at = raw.find(word, at + 1 if seen < MOST else max(at + 1, foot))


def _at(raw: bytes, place: int) -> Iterator[Finding]:
    start = raw.rfind(b"\n", max(place - REACH, 0), place) + 1
    if start or place <= REACH:
        for confidence, pattern in _LINES:
            match = pattern.match(raw, start)
            if match and (name := named(match[1].decode("utf-8", "replace"))):
                # Manuals show such lines too: a document's own stands among its very first or last ones.
                own = at_edge(*match.span(), raw, EDGE // 3)
                yield Finding(name, "name", *match.span(1), confidence, own)
    match = _NEAR.search(raw, max(place - REACH, 0), place + REACH)
    if match:
        group = "behind" if match["behind"] else "before"
        identifier = match[group].decode().rstrip(".-")
        if check(identifier) is None:
            own = says_of_itself(raw, *match.span())
            yield Finding(normalise(identifier), "name", *match.span(group), 0.8, own)


def named(value: str) -> str | None:
    """The licence that `value` (small letters) is the name of, in SPDX's spelling; None where it is more than a name,
    or none."""
    value = _REMARK.split(_CLASSIFIER.sub("", value.strip(), count=1), maxsplit=1)[0]
    value = value.removeprefix("the ").strip(" \t.,:*_")
    if check(value) is None:
        name = normalise(value)
        return None if name == NOASSERTION else name
    for pattern, name in _NAMES:
        if pattern.fullmatch(value):
            return resolve(name, value.encode(), 0, 0, ())
    return next((item.licence for item in creative_commons(value.encode()) if item.kind == "name"), None)
