"""Exact marks of a licence: SPDX tags, Creative Commons links and names, reservations against text mining.

Sources: SPDX specification 3.0, annex on short identifiers in files; https://creativecommons.org/licenses;
W3C community group report "TDM Reservation Protocol" (2024).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator

from elek.licences.finding import EDGE, Finding, at_edge, either, says_of_itself
from elek.licences.spdx import NOASSERTION, check, normalise

_TAG = re.compile(
    rb"spdx-licen[cs]e-(?:identifier|expression)[\"']?[ \t]{0,4}[:=][ \t]*[\"'`]?([a-z0-9.+() \t-]{2,200})",
    re.IGNORECASE,
)
_CC_LINK = re.compile(
    # Looking back behind the name keeps other sites out (notcreativecommons.org), at half the cost of before it.
    rb"(?:creativecommons\.org(?<![a-z0-9-]creativecommons\.org)/(?:licen[cs]es|publicdomain|l|p)"
    rb"|licensebuttons\.net/[lp])/"
    rb"(by-nd-nc|by(?:-nc)?(?:-nd|-sa)?|sa|zero|mark)/(\d\.\d)(?:/([a-z]{2,3})\b)?"
)
_CC_GAP = rb"(?:[ \n/,+-]|\xe2\x80\x93){0,3}"
_CC_WORDS = (
    rb"((?:" + _CC_GAP + rb"(?:non[ -]?commercial|share[ -]?alike|no[ -]?deriv(?:ative)?s?(?:[ \n]works)?)){PLACE})"
    rb"[ \n]+(?:licen[cs]e[ \n,]+)?(?:version[ \n]+)?([1-4]\.[05])\b"
)
_CC_NAME = re.compile(
    rb"creative[ \n]commons[ \n]attribution" + _CC_WORDS.replace(b"PLACE", b"0,3")
    + rb"|attribution" + _CC_WORDS.replace(b"PLACE", b"1,3")
    + rb"|attribution()[ \n]+([1-4]\.[05])[ \n](?:international|unported|generic)"
)  # fmt: skip
_CC_SHORT = re.compile(
    rb"(?:\bcc|creative[ \n]commons)[ -]\(?(?:cc[ -])?(by(?:[ -]nc)?(?:[ -](?:nd|sa))?)\)?[ -]v?([1-4]\.[05])\b"
)
_TURKISH_KINDS = "gayri ?ticari|ticari olmayan|ayn[ı] ?lisansla ?payla[ş]|benzer ?payla[ş][ı]m|t[ü]retilemez"
# Without a version, and in Turkish, where one may follow.
_CC_TITLE = re.compile(
    rb"creative[ \n]commons[ \n](?:attribution"
    + _CC_WORDS.split(rb"[ \n]+(?:licen")[0].replace(b"PLACE", b"0,3")
    + rb"[ \n]+licen[cs]e\b(?![ \n,]{1,3}(?:version[ \n]+)?[1-4]\.)"
    + rb"|" + either("(?:at[ı]f|al[ı]nt[ı])") + rb"((?:" + _CC_GAP + rb"(?:" + either(_TURKISH_KINDS) + rb")){0,3})"
    rb"(?:[ \n]+([1-4]\.[05])\b)?)"
)  # fmt: skip
_CC_LEGAL_CODE = re.compile(rb"creative commons corporation [^\n]{0,40}is\s+not\s+a\s+law\s+firm")
_ADDRESS = re.compile(rb"(?:https?:)?//(?:www\.)?([^\s]{1,500})")
_GNU = re.compile(rb"gnu\.org/(?:licenses|copyleft)/(?:old-licenses/)?([al]?gpl|fdl)-(\d(?:\.\d)?)\b")
_NAMED = re.compile(
    rb"(?:opensource\.org/licen[cs]es?|spdx\.org/licenses|apache\.org/licenses|opendatacommons\.org/licenses)"
    rb"/([a-z0-9.+-]{1,60}?)(?:\.html?|\.txt|\.json)?(?:[/?#]|$)"
)
AI_AGENTS = (
    *("GPTBot", "Google-Extended", "CCBot", "ClaudeBot", "Claude-Web", "anthropic-ai", "Applebot-Extended"),
    *("Bytespider", "meta-externalagent", "FacebookBot", "PerplexityBot", "cohere-ai", "cohere-training-data-crawler"),
    *("Amazonbot", "AI2Bot", "Ai2Bot-Dolma", "Diffbot", "omgili", "omgilibot", "Webzio-Extended", "img2dataset"),
    *("ImagesiftBot", "PanguBot", "Timpibot"),
)
"""Crawlers that gather what language models learn or answer from, by the names that robots.txt calls them."""
_AI_BOTS = "|".join(AI_AGENTS).lower().encode()
_OPT_OUT = re.compile(
    # The TDM Reservation Protocol: a header, a meta element, a key of tdmrep.json.
    rb"tdm-reservation[\"']?(?:[ \t]*[:=]|[^\n]{0,20}content=)[ \t\"']*1"
    rb"|<meta[ \n]+content=[ \"']*1[\"'][ \n]+name=[ \"']*tdm-reservation"
    # Robots directives, as a meta element or as a header.
    rb"|<meta[^>\n]{0,80}\bno(?:image)?ai\b|x-robots-tag[ \t]*:[^\n]{0,40}\bno(?:image)?ai\b"
    # robots.txt, where it sends those who gather training text away from everything, and Cloudflare's signals in it.
    rb"|user-agent:[ \t]*(?:" + _AI_BOTS + rb")[ \t]*(?:#[^\n]{0,80})?\r?\n"
    rb"(?:[ \t]*(?:(?:user-agent|crawl-delay):|#)[^\n]{0,80}\n){0,8}"
    rb"(?:[ \t]*(?:(?:disallow|crawl-delay):|#)[^\n]{0,80}\n){0,8}?"
    rb"[ \t]*disallow:[ \t]*/\*?[ \t]*(?:#|\r?\n|$)"
    rb"|content-signal:[^\n]{0,80}\bai-train[ \t]*=[ \t]*no\b"
)
_MINING = (
    rb"(?:text~and~data~mining|(?:ai|artificial~intelligence)~training"
    rb"|train(?:ing)?\b[^\n.]{0,24}\b(?:ai|artificial~intelligence|language~models?)\b)"
)
_RESERVED = re.compile(
    # Article 4(3) of Directive (EU) 2019/790 in words, as publishers put it below their works; ~ is a gap.
    (
        rb"(?:rights?|use|reproduction)[^\n.]{0,80}(?:reserved|prohibited|not~(?:permitted|allowed))"
        rb"[^\n.]{0,60}" + _MINING + rb"|" + _MINING + rb"[^\n.]{0,60}"
        rb"(?:reserved|prohibited|forbidden|not~(?:permitted|allowed))"
        rb"|(?:not~be|no~part~of[^\n.]{0,60}~be)~(?:used|reproduced)[^\n.]{0,80}" + _MINING
        + rb"|metin[ \n]{1,3}ve[ \n]{1,3}veri[ \n]{1,3}madencili[^\n.]{0,80}(?:sakl|yasak|izin verilmez)"
        rb"|yapay[ \n]{1,3}zek[^\n.]{0,60}e\xc4\x9fit[^\n.]{0,60}(?:kullan\xc4\xb1lamaz|sakl|yasak|izin verilmez)"
    ).replace(b"~", rb"[^a-z]{1,6}")
)  # fmt: skip
# One of these stands in each match; looking for them costs next to nothing.
_MARKS = (b"tdm-reservation", b"noai", b"noimageai", b"user-agent:", b"content-signal")
_SUBJECTS = (b"mining", b"ai training", b"intelligence", b"train ai", b"language model", b"madencili", b"yapay")
_RIGHTS = re.compile(
    rb"\bthis|\xc2\xa9|\(c\)|copyright|all rights|no part of|\bbu[ \n]|t\xc3\xbcm haklar|her hakk|telif"
)
"""Beside a reservation in words: the document speaks of itself and does not discuss the matter."""
_REACH = EDGE // 2 + 300
"""Bytes at either edge in which a reservation in words is looked for."""


def tags(raw: bytes) -> Iterable[Finding]:
    """SPDX-License-Identifier tags, each expression once. The case of `raw` is the text's: references keep theirs."""
    seen = set()
    for match in itertools.islice(_TAG.finditer(raw), 64):
        words = match[1].decode().split()[:12]
        # The line may go on after the expression (`*/`, `-->`, prose): take the longest valid beginning.
        for stop in range(len(words), 0, -1):
            expression = " ".join(words[:stop]).rstrip(".-")
            if check(expression) is None:
                name = normalise(expression)
                if name not in seen:
                    line = raw[raw.rfind(b"\n", 0, match.start()) + 1 : match.start()]
                    own = at_edge(match.start(), match.end(), raw) and not re.search(rb"[A-Za-z`\"]", line)
                    yield Finding(name, "tag", match.start(), match.end(1), 0.99, own)
                seen.add(name)
                break


def creative_commons(raw: bytes) -> Iterable[Finding]:
    """Creative Commons licences by link, by name and version, or by their legal code."""
    best: dict[str, Finding] = {}
    linked = b"creativecommons.org/" in raw or b"licensebuttons.net/" in raw
    for match in _CC_LINK.finditer(raw) if linked else ():
        kind, version, port = (part.decode().upper() if part else "" for part in match.groups())
        name = {"ZERO": "CC0", "MARK": "CC-PDM", "BY-ND-NC": "CC-BY-NC-ND"}.get(kind, f"CC-{kind}") + f"-{version}"
        if port and check(f"{name}-{port}") is None:
            name = f"{name}-{port}"
        if check(name) is None:
            best.setdefault(
                name, Finding(name, "link", match.start(), match.end(), 0.98, says_of_itself(raw, *match.span()))
            )
    legal_code = _CC_LEGAL_CODE.search(raw)
    for match in _names(raw):
        words, version = next((w, v) for w, v in zip(match.groups()[::2], match.groups()[1::2], strict=True) if v)
        kind = words.decode().replace(" ", "-") if match.re is _CC_SHORT else "by" + _suffixes(words)
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


def _names(raw: bytes) -> Iterator[re.Match[bytes]]:
    """Names with a version. Both expressions begin with alternatives, slow to look for: plain words go first."""
    if b"attribution" in raw:
        yield from _CC_NAME.finditer(raw)
    if any(word in raw for word in (b"cc-by", b"cc by", b"cc (by", b"commons by", b"commons (", b"commons cc")):
        yield from _CC_SHORT.finditer(raw)


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
    signs = (("nc", b"commercial|ticari"), ("nd", b"deriv|retilemez"), ("sa", b"alike|lisansla|benzer"))
    return "".join(f"-{short}" for short, sign in signs if re.search(sign, words))


def opt_outs(raw: bytes) -> Iterable[Finding]:
    """The first reservation against text and data mining by machine-readable mark, and the document's own in words."""
    match = _OPT_OUT.search(raw) if any(word in raw for word in _MARKS) else None
    if match:
        yield Finding("NOASSERTION", "opt-out", *match.span(), 0.95, at_edge(*match.span(), raw))
    if any(word in raw for word in _SUBJECTS):
        # Only what stands at an edge is the document's own: between them publishers are quoted and courts discussed.
        for begin, end in ((0, _REACH), (max(len(raw) - _REACH, 0), len(raw))):
            words = _RESERVED.search(raw, begin, end)
            if words and _RIGHTS.search(raw, max(0, words.start() - 200), words.end()):
                yield Finding("NOASSERTION", "opt-out", *words.span(), 0.85, own=True)
                return
