"""Personal data that has a form: found by form, checksum and context, and replaced by typed placeholders.

`find` tells where, `mask` replaces. Six kinds:

    email   an address with a local part, a domain and a top-level domain that is no file extension, or with a
            bracketed `(at)`; the documentation domains (example.com, RFC 2606) are masked too: nobody can tell a
            made-up person there
    phone   shapes that only telephone numbers have, or any plausible number beside a word of telephoning
    iban    ISO 13616: country's structure and MOD 97-10
    card    payment card: issuer prefix, length and the Luhn digit (ISO/IEC 7812)
    tckn    Turkish identity number: eleven digits, two of which check the rest
    ip      public IPv4 and IPv6 addresses; private, loopback, documentation and other special-purpose ranges
            (RFC 6890 and IANA's registries) belong to nobody and stay

Names, street addresses and dates of birth are not looked for. Text with neither digits nor an @ costs a few scans.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Literal, NamedTuple

PiiType = Literal["email", "phone", "iban", "card", "tckn", "ip"]
PII_TYPES: tuple[PiiType, ...] = ("email", "phone", "iban", "card", "tckn", "ip")

IBAN_BEFORE, IBAN_AFTER = 14, 48
"""Characters around a run of digits that can belong to the same account number: some banks' codes are letters."""


class Span(NamedTuple):
    """`text[start:end]` is personal data of this kind."""

    type: PiiType
    start: int
    end: int


class Traces(NamedTuple):
    """Where a text could hold personal data, as `elek.pii.scan` sees it in the bytes."""

    email: bool
    """An @ with something behind it."""
    written: bool
    """An @ that is spelled out: (at), [at]."""
    ipv6: bool
    """Colons as an IPv6 address has them."""
    runs: Sequence[Sequence[int]] | None
    """Runs of digits that could be anything, the first character of each and the one behind its last; None where they
    are too many to note."""


def placeholder(kind: PiiType) -> str:
    return f"[{kind.upper()}]"


def holds_placeholder(text: str) -> bool:
    """Whether a placeholder stands in the text."""
    return "[" in text and any(placeholder(kind) in text for kind in PII_TYPES)


def holds_email(text: str) -> bool:
    """Whether an e-mail address with an @ stands in the text."""
    return "@" in text and bool(find(text, ["email"], Traces(email=True, written=False, ipv6=False, runs=[])))


def find(text: str, kinds: Collection[PiiType] = PII_TYPES, traces: Traces | None = None) -> list[Span]:
    """Spans of personal data, in order, none overlapping another. `traces` are of this text, where they are known."""
    from elek.pii.detection import detect  # checksum tables and telephone plans: only where text is read

    return detect(text, kinds, traces)


def mask(
    text: str, kinds: Collection[PiiType] = PII_TYPES, traces: Traces | None = None
) -> tuple[str, dict[PiiType, int]]:
    """`text` with a placeholder for every span, and how many of each kind (kinds that occur only).

    Masked text is a fixed point: `mask(mask(text)[0])` finds nothing. What surrounds a number is part of the
    evidence, so the text is looked at again until nothing is found; one more look is what it takes as a rule.
    """
    counts: dict[PiiType, int] = {}
    while spans := find(text, kinds, traces):
        traces = traces and traces._replace(runs=None)  # placeholders bring no sign, but digits stand elsewhere now
        text = replace(text, spans)
        for span in spans:
            counts[span.type] = counts.get(span.type, 0) + 1
    return text, counts


def replace(text: str, spans: Iterable[Span]) -> str:
    """`text` with a placeholder for every span; they are in order, and none overlaps another."""
    pieces, position = [], 0
    for kind, start, end in spans:
        pieces += [text[position:start], placeholder(kind)]
        position = end
    return "".join([*pieces, text[position:]])
