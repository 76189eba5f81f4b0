"""What a document shows of its own licence: tags, links, names, notices, whole licence texts, reserved rights.

Passes, each over what the one before let through: one linear scan of the whole column for trigger words (most
documents end here), regular expressions for SPDX tags and Creative Commons links, names of licences where a word such
as `License:` announces them, and the weighted phrases of `evidence.tsv`, each looked for only where a plain word of it
occurs. Every expression has bounded gaps: no input
makes a search quadratic.

A finding is evidence *about the document* (`own`) only where it says so in its own voice and stands at the
document's edge, or is a tag of its own line there. A manual that explains the GPL, or prints it whole, is not
thereby under the GPL.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from elek.dataset import LICENCE_LINKS, OPT_OUT
from elek.licences.categories import RANK, licences_in
from elek.licences.finding import ALL_RIGHTS_RESERVED, CONVINCING, Finding, family
from elek.licences.links import creative_commons, opt_outs, stated, tags
from elek.licences.notices import notices
from elek.licences.spdx import NOASSERTION, check
from elek.licences.statements import statements

_TRIGGER = (
    r"licen[cs]e|lisans|creative ?commons|copyright|©|public domain|rights reserved|hereby granted|redistribut"
    r"|free software|permission|spdx|cc0|cc[ -]by|common-licenses|\bl?gpl|same terms as"
    r"|tdm-reservation|noai\b|noimageai|user-agent:|data mining|ai training|veri madencili|yapay zek"
    r"|may (?:not )?be (?:reproduced|copied|used|stored|republished)"
    r"|hak(?:lar|k)[ıi] (?:sakl|mahfuz)|[iİ]z[iİ]ns[iİ]z|izni olmadan"
    r"|attribution.{0,3}(?:share|non|no )|content-signal|rechte vorbehalten|droits réservés|derechos reservados"
    r"|prohibited|origin of this|source and binary|affirmer|independent jpeg"
)
# Capital letters of our languages outside ASCII, and small ones of as many bytes. Lower-casing bytes makes I an i, and
# so İ becomes ı: the expressions take either for either.
_CAPITALS = [(upper.encode(), lower.encode()) for upper, lower in zip("ÜÖÇŞĞÉİ", "üöçşğéı", strict=True)]


def find(texts: pa.Array) -> list[list[Finding]]:
    """Evidence in each text, the most convincing first; an empty list where there is none."""
    candidate = pc.match_substring_regex(texts, _TRIGGER, ignore_case=True)
    findings: list[list[Finding]] = [[] for _ in range(len(texts))]
    for row in pc.indices_nonzero(candidate.fill_null(False)).to_pylist():
        findings[row] = find_in(texts[row].as_py())
    return findings


def beside(meta: pa.Array) -> dict[int, list[Finding]]:
    """Findings by row where `meta` (JSON objects) keeps what stood beside the text, in a page's markup or its HTTP
    headers: reservations (`opt_out`) and licences (`licence_links`). They are the page's own word, of which the text
    shows nothing, so that they have no span. A licence that nobody knows is told, and convinces nobody."""
    found: dict[int, list[Finding]] = {}
    kept = pc.match_substring_regex(meta, f'"({OPT_OUT}|{LICENCE_LINKS})"').fill_null(False)
    for row in pc.indices_nonzero(kept).to_pylist():
        values = json.loads(meta[row].as_py())
        links = values.get(LICENCE_LINKS)
        names = {stated(link) for link in links if isinstance(link, str)} if isinstance(links, list) else set()
        own = [Finding(name, "link", 0, 0, 0.98 if name != NOASSERTION else 0.5, own=True) for name in sorted(names)]
        if isinstance(values.get(OPT_OUT), list) and values[OPT_OUT]:
            own.insert(0, Finding(NOASSERTION, "opt-out", 0, 0, 0.99, own=True))
        found[row] = own
    return found


def find_in(text: str) -> list[Finding]:
    """Evidence in one text, whatever its trigger words."""
    whole = text.encode("utf-8", "replace")
    raw = whole.lower()
    for upper, lower in _CAPITALS:
        raw = raw.replace(upper, lower)
    found = [*(tags(whole) if b"spdx-licen" in raw else ()), *creative_commons(raw), *notices(raw)]
    told = {(item.licence, item.own) for item in found}
    found += [item for item in statements(raw) if not told & {(item.licence, item.own), (item.licence, True)}]
    granted = any(item.licence != ALL_RIGHTS_RESERVED for item in found)
    # A licence notice keeps its "all rights reserved" line; only where nothing is granted does it say anything.
    found = [item for item in found if not (granted and item.licence == ALL_RIGHTS_RESERVED)]
    found += opt_outs(raw)
    found.sort(key=lambda item: (-item.confidence, item.start, item.licence))
    return [
        Finding(item.licence, item.kind, *_characters(raw, item.start, item.end), item.confidence, item.own)
        for item in found
    ]


def _characters(raw: bytes, start: int, end: int) -> tuple[int, int]:
    # Lower-casing kept every byte's place, and a match starts and ends at whole characters.
    before = len(raw[:start].decode("utf-8", "replace"))
    return before, before + len(raw[start:end].decode("utf-8", "replace"))


def contradicts(findings: Sequence[Finding], declared: str) -> bool:
    """Whether a document says of itself that it is under something stricter than its source declares.

    Only its own voice counts (`Finding.own`), only families that the declared expression does not name, and only
    where the found category is stricter than every licence of the expression.
    """
    if check(declared) is not None:
        return False  # what is declared is no licence at all: that is the rule `unknown`'s affair
    known = licences_in(declared)
    families = {family(item.id) for item in known}
    strictest = max(RANK[item.category] for item in known)
    for finding in findings:
        if finding.own and finding.confidence >= CONVINCING and finding.kind != "opt-out":
            named = licences_in(finding.licence)
            if all(family(item.id) not in families and RANK[item.category] > strictest for item in named):
                return True
    return False


def opted_out(findings: Sequence[Finding]) -> bool:
    """Whether a document reserves itself against text and data mining."""
    return any(finding.kind == "opt-out" and finding.own and finding.confidence >= CONVINCING for finding in findings)
