"""Where to look: cheap scans lead the costly checks to the few places that could matter."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from elek.pii import IBAN_AFTER, IBAN_BEFORE, PiiType, Span, Traces
from elek.pii.addresses import WRITTEN_AT, email_at, ipv4_at, ipv6_spans, written_email
from elek.pii.numbers import card_at, iban_spans, tckn_at
from elek.pii.phones import phone_at

# Five digits or more, at most three separators between two of them: every number that we look for holds such a
# run, and prose holds few. The leading character class lets the engine skip text at over 200 MB/s,
# and possessive quantifiers keep a table of 100 MB from being remembered group by group. `elek.pii.scan` finds the
# same in bytes, less what is too short for anything.
_RUN = re.compile(r"[0-9](?:[ \t.\-()/]{0,3}+[0-9]){4,}+")
# Nothing that we look for follows a word or its hyphen, but TC and TCKN, or begins with three single digits:
# identifiers and tables of small numbers are passed over at once.
_START = re.compile(
    r"(?<![0-9])(?=[+(0-9])(?:(?<![\w])(?:(?<![\w\]]-)|(?<=\bTC-))"
    r"|(?<=\b(?i:tc))|(?<=\b(?i:tc)_)|(?<=\b(?i:tckn))|(?<=\b(?i:tckn)_))"
    r"[+(]{0,3}(?![0-9](?:[ \t.\-/]{1,3}[0-9](?![0-9])){2})[0-9]"
)

# Spaces and a hyphen at which no line breaks, and dashes of several widths, which typesetters put into numbers. One
# character for one, so that places stay.
_TYPESET = (("\u00a0", " "), ("\u202f", " "), ("\u2011", "-"))
# Within a number alone: beside a word, or before the next telephone number, a dash parts the two.
_DASHES = "\u2010\u2012\u2013"
_DASHED = re.compile(f"(?<=[0-9])[{_DASHES}](?=[0-9])(?!0[2-9])")

_AT = re.compile(r"@(?=[^\W_])")


def detect(text: str, kinds: Collection[PiiType], traces: Traces | None = None) -> list[Span]:
    """See `elek.pii.find`. Linear in the length of the text."""
    for typeset, typed in _TYPESET:
        text = text.replace(typeset, typed)
    if any(dash in text for dash in _DASHES):
        text = _DASHED.sub("-", text)
    traces = traces or Traces("@" in text, WRITTEN_AT.search(text) is not None, ":" in text, None)
    spans = list(_addresses(text, kinds, traces))
    end = 0
    for first, last in (run.span() for run in _RUN.finditer(text)) if traces.runs is None else traces.runs:
        for span in _numbers(text, max(first, end), last, kinds):
            spans.append(span)
            if span.start < last:  # an account number behind the run may have other numbers before it
                end = max(end, span.end)
    return _disjoint(spans)


def _addresses(text: str, kinds: Collection[PiiType], traces: Traces) -> Iterator[Span]:
    if "email" in kinds and traces.email:
        for at in _AT.finditer(text):
            if (found := email_at(text, at.start())) is not None:
                yield Span("email", *found)
    if "email" in kinds and traces.written:
        for written in WRITTEN_AT.finditer(text):
            if (found := written_email(text, written)) is not None:
                yield Span("email", *found)
    if "ip" in kinds and traces.ipv6:
        for start, end in ipv6_spans(text):
            yield Span("ip", start, end)


def _numbers(text: str, start: int, end: int, kinds: Collection[PiiType]) -> Iterator[Span]:
    """Everything in one run of digits, from left to right."""
    ibans = [Span("iban", *found) for found in iban_spans(text, start - IBAN_BEFORE, end + IBAN_AFTER)]
    if "iban" in kinds:
        yield from ibans
    position = max(start - 3, 0)  # a plus sign or a bracket before the first digit
    while (number := _START.search(text, position, end)) is not None:
        at = number.start()
        inside = next((iban for iban in ibans if iban.start <= at < iban.end), None)
        if inside:
            position = inside.end
            continue
        span = _classify(text, at, number.end() - 1, kinds)
        if span:
            yield span
            position = span.end
        else:
            position = number.end()


def _classify(text: str, at: int, digit: int, kinds: Collection[PiiType]) -> Span | None:
    """What starts at `at`, or behind its brackets and plus signs at `digit`."""
    # The stricter the check, the earlier it is asked: a checksum before a mere form.
    if "+" not in text[at:digit]:
        if "ip" in kinds and (found := ipv4_at(text, digit)):
            return Span("ip", *found)
        if "card" in kinds and (found := card_at(text, digit)):
            return Span("card", *found)
        if "tckn" in kinds and (found := tckn_at(text, digit)):
            return Span("tckn", *found)
    if "phone" in kinds:
        for start in range(at, digit + 1):  # "((0312) 123 45 67)": the outer bracket is not the number's
            if found := phone_at(text, start):
                return Span("phone", *found)
    return None


def _disjoint(spans: list[Span]) -> list[Span]:
    """In order of place; of two that overlap, the one that starts first, or is longer."""
    result: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if not result or span.start >= result[-1].end:
            result.append(span)
    return result
