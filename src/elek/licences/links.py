"""Exact marks of a licence: SPDX tags, Creative Commons links and names, reservations against text mining.

Sources: SPDX specification 3.0, annex on short identifiers in files; https://creativecommons.org/licenses;
W3C community group report "TDM Reservation Protocol" (2024).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable

from elek.licences.finding import EDGE, Finding, at_edge, says_of_itself
from elek.licences.spdx import NOASSERTION, check, normalise

_TAG = re.compile(rb"spdx-license-identifier:[ \t]*([a-z0-9.+() \t-]{2,200})")
_CC_LINK = re.compile(
    rb"creativecommons\.org/(?:licen[cs]es|publicdomain)/"
    rb"(by(?:-nc)?(?:-nd|-sa)?|zero|mark)/(\d\.\d)(?:/([a-z]{2,3})\b)?"
)
_CC_WORDS = (
    rb"((?:[ \n-]{0,3}(?:non-?commercial|share-?alike|no-?deriv(?:ative)?s?(?:[ \n]works)?)){PLACE})"
    rb"[ \n]+(?:licen[cs]e[ \n,]+)?(?:version[ \n]+)?([1-4]\.[05])\b"
)
_CC_NAME = re.compile(
    rb"creative[ \n]commons[ \n]attribution" + _CC_WORDS.replace(b"PLACE", b"0,3")
    + rb"|attribution" + _CC_WORDS.replace(b"PLACE", b"1,3")
    + rb"|attribution()[ \n]+([1-4]\.[05])[ \n](?:international|unported|generic)"
    + rb"|\bcc[ -](by(?:-nc)?(?:-nd|-sa)?)[ -]([1-4]\.[05])\b"
)  # fmt: skip
# Without a version, and in Turkish, where one may follow.
_CC_TITLE = re.compile(
    rb"creative[ \n]commons[ \n](?:attribution"
    + _CC_WORDS.split(rb"[ \n]+(?:licen")[0].replace(b"PLACE", b"0,3")
    + rb"[ \n]+licen[cs]e\b(?![ \n,]{1,3}(?:version[ \n]+)?[1-4]\.)"
    + rb"|at(?:\xc4\xb1|i)f((?:[ \n-]{0,3}(?:gayri ?ticari|ayn(?:\xc4\xb1|i) ?lisansla ?payla(?:\xc5\x9f|s)"
    rb"|t(?:\xc3\xbc|u)retilemez)){0,3})(?:[ \n]+([1-4]\.[05])\b)?)"
)
_CC_LEGAL_CODE = re.compile(rb"creative commons corporation [^\n]{0,40}is\s+not\s+a\s+law\s+firm")
_ADDRESS = re.compile(rb"(?:https?:)?//(?:www\.)?([^\s]{1,500})")
_GNU = re.compile(rb"gnu\.org/(?:licenses|copyleft)/(?:old-licenses/)?([al]?gpl|fdl)-(\d(?:\.\d)?)\b")
_NAMED = re.compile(
    rb"(?:opensource\.org/licen[cs]es?|spdx\.org/licenses|apache\.org/licenses|opendatacommons\.org/licenses)"
    rb"/([a-z0-9.+-]{1,60}?)(?:\.html?|\.txt|\.json)?(?:[/?#]|$)"
)
AI_AGENTS = (
    *("GPTBot", "Google-Extended", "CCBot", "ClaudeBot", "anthropic-ai", "Applebot-Extended", "Bytespider"),
    "meta-externalagent",
)
"""Crawlers of which their owners say that they gather training text, by the names that robots.txt calls them."""
_AI_BOTS = "|".join(AI_AGENTS).lower().encode()
_OPT_OUT = re.compile(
    # The TDM Reservation Protocol: a header, a meta element, a key of tdmrep.json.
    rb"tdm-reservation[\"']?(?:[ \t]*[:=]|[^\n]{0,20}content=)[ \t\"']*1"
    # Robots directives, as a meta element or as a header.
    rb"|<meta[^>\n]{0,80}\bno(?:image)?ai\b|x-robots-tag[ \t]*:[^\n]{0,40}\bno(?:image)?ai\b"
    # robots.txt, where it sends those who gather training text away from everything.
    rb"|user-agent:[ \t]*(?:" + _AI_BOTS + rb")[ \t]*\r?\n(?:[ \t]*(?:user-agent|crawl-delay):[^\n]{0,80}\n){0,8}"
    rb"[ \t]*disallow:[ \t]*/[ \t]*(?:\r?\n|$)"
)
_TRAINING = rb"text~and~data~mining|(?:ai|artificial~intelligence)~training"
_RESERVED = re.compile(
    # Article 4(3) of Directive (EU) 2019/790 in words, as publishers put it below their works; ~ is a gap.
    (
        rb"(?:rights?|use|reproduction)[^\n.]{0,80}(?:reserved|prohibited|not~(?:permitted|allowed))"
        rb"[^\n.]{0,60}(?:" + _TRAINING + rb")"
        rb"|(?:" + _TRAINING + rb"|train[^\n.]{0,24}(?:ai|artificial~intelligence|language~models?))"
        rb"[^\n.]{0,60}(?:reserved|prohibited|forbidden|not~(?:permitted|allowed))"
        rb"|metin[ \n]{1,3}ve[ \n]{1,3}veri[ \n]{1,3}madencili[^\n.]{0,80}(?:sakl|yasak|izin verilmez)"
        rb"|yapay[ \n]{1,3}zek[^\n.]{0,60}e\xc4\x9fit[^\n.]{0,60}(?:kullan\xc4\xb1lamaz|sakl|yasak|izin verilmez)"
    ).replace(b"~", rb"[^a-z]{1,6}")
)
# One of these stands in each match; looking for them costs next to nothing.
_MARKS = (b"tdm-reservation", b"noai", b"noimageai", b"user-agent:")
_SUBJECTS = (b"mining", b"ai training", b"intelligence", b"train ai", b"language model", b"madencili", b"yapay")
_RIGHTS = re.compile(
    rb"\bthis|\xc2\xa9|\(c\)|copyright|all rights|no part of|\bbu[ \n]|t\xc3\xbcm haklar|her hakk|telif"
)
"""Beside a reservation in words: the document speaks of itself and does not discuss the matter."""


def tags(raw: bytes) -> Iterable[Finding]:
    """SPDX-License-Identifier tags, each expression once."""
    seen = set()
    for match in itertools.islice(_TAG.finditer(raw), 64):
        words = match[1].decode().split()[:12]
        # The line may go on after the expression (`*/`, `-->`, prose): take the longest valid beginning.
        for stop in range(len(words), 0, -1):
            expression = " ".join(words[:stop]).rstrip(".")
            if check(expression) is None:
                name = normalise(expression)
                if name not in seen:
                    line = raw[raw.rfind(b"\n", 0, match.start()) + 1 : match.start()]
                    own = at_edge(match.start(), match.end(), raw) and not re.search(rb"[a-z`\"]", line)
                    yield Finding(name, "tag", match.start(), match.end(1), 0.99, own)
                seen.add(name)
                break


def creative_commons(raw: bytes) -> Iterable[Finding]:
    """Creative Commons licences by link, by name and version, or by their legal code."""
    best: dict[str, Finding] = {}
    for match in _CC_LINK.finditer(raw):
        kind, version, port = (part.decode().upper() if part else "" for part in match.groups())
        name = {"ZERO": "CC0", "MARK": "CC-PDM"}.get(kind, f"CC-{kind}") + f"-{version}"
        if port and check(f"{name}-{port}") is None:
            name = f"{name}-{port}"
        if check(name) is None:
            best.setdefault(
                name, Finding(name, "link", match.start(), match.end(), 0.98, says_of_itself(raw, *match.span()))
            )
    legal_code = _CC_LEGAL_CODE.search(raw)
    # Plain words that every name holds: the expression begins with alternatives, which are slow to look for.
    named = b"attribution" in raw or b"cc-by" in raw or b"cc by" in raw
    for match in _CC_NAME.finditer(raw) if named else ():
        words, version = next((w, v) for w, v in zip(match.groups()[::2], match.groups()[1::2], strict=True) if v)
        kind = words.decode() if match[8] else "by" + _suffixes(words)
        name = f"CC-{kind}-{version.decode()}".upper()
        if check(name) is None:
            weight, own = (0.97, False) if legal_code else (0.85, says_of_itself(raw, *match.span()))
            best.setdefault(name, Finding(name, "text" if legal_code else "name", *match.span(), weight, own))
    for match in _CC_TITLE.finditer(raw) if not best and b"creative" in raw else ():
        # All versions ask the same: the newest stands for one that is not named.
        name = f"CC-BY{_suffixes(match[1] or match[2] or b'')}-{(match[3] or b'4.0').decode()}".upper()
        if check(name) is None:
            best.setdefault(name, Finding(name, "name", *match.span(), 0.85, says_of_itself(raw, *match.span())))
    return best.values()


def stated(value: str) -> str:
    """The licence that a page links as its own, by address or by name, in SPDX's spelling; NOASSERTION where nobody
    knows it. Known are Creative Commons' addresses, GNU's, those that end in an SPDX identifier, and identifiers."""
    raw = value.strip().lower().encode()
    for found in creative_commons(raw):
        return found.licence
    address = _ADDRESS.match(raw)
    if address is None:
        return normalise(value) if check(value) is None else NOASSERTION
    if gnu := _GNU.match(address[1]):
        name, version = gnu[1].decode().upper().replace("FDL", "GFDL"), gnu[2].decode()
        return f"{name}-{version if '.' in version else version + '.0'}-only"
    named = _NAMED.match(address[1])
    name = named[1].decode() if named else ""
    name = {"license-2.0": "Apache-2.0", "by": "ODC-By-1.0", "odbl": "ODbL-1.0", "pddl": "PDDL-1.0"}.get(name, name)
    return normalise(name) if name and check(name) is None else NOASSERTION


def _suffixes(words: bytes) -> str:
    signs = (("nc", b"commercial|ticari"), ("nd", b"deriv|retilemez"), ("sa", b"alike|lisansla"))
    return "".join(f"-{short}" for short, sign in signs if re.search(sign, words))


def opt_outs(raw: bytes) -> Iterable[Finding]:
    """The first reservation against text and data mining by machine-readable mark, and the first in words."""
    match = _OPT_OUT.search(raw) if any(word in raw for word in _MARKS) else None
    if match:
        yield Finding("NOASSERTION", "opt-out", *match.span(), 0.95, at_edge(*match.span(), raw))
    words = _RESERVED.search(raw) if any(word in raw for word in _SUBJECTS) else None
    if words:
        own = at_edge(*words.span(), raw, EDGE // 2) and bool(
            _RIGHTS.search(raw[max(0, words.start() - 200) : words.end()])
        )
        yield Finding("NOASSERTION", "opt-out", *words.span(), 0.85, own)
