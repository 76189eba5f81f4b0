"""Numbers that carry their own proof: bank accounts, payment cards, Turkish identity numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from stdnum import iban, luhn, numdb
from stdnum.tr import tckimlik

# A number that goes on, or of which this is the tail, is another number: decimals, versions, UUIDs, paths. But people
# leave out the space behind "No.", a comma, or the end of a sentence. `]` and `[` stand for a neighbour that was
# masked, so that masked text reads as the original did.
_NOT_BEFORE = r"(?<![\w])(?<![0-9\]],)(?:(?<![\w\]][.\-/])|(?<=[Nn][Oo]\.)|(?<=T\.C\.)|(?<=\bTC-))"
_NOT_AFTER = r"(?![\w]|,[0-9\[]|[\-/][\w\[]|\.(?![A-ZÇĞİÖŞÜ][a-zçğıöşü])[\w\[])"

CODES = r"barko[dt]\w*|barcode|ean|isbn|issn|doi|imei|seri|serial"
OTHER_NUMBERS = (
    rf"{CODES}|sipari[şs]\w*|orders?|fatura\w*|invoice|takip|tracking|ref|reference|referans\w*|dosya\w*|esas|sürüm\w*|"
    r"version"
)
"""Words that announce a number of no person."""
NUMBER = r"\W{0,3}(?:(?:no|number|numaras[ıi])\b|#)\W{0,3}"
NAMED = rf"(?:{NUMBER}|\W{{0,3}})\Z"
"""What may stand between a code's name and the code."""
# "Sipariş: 0532 …" asks people to call, and an invoice bears a person's number: other words name one with "no" alone.
NAMED_OTHERWISE = re.compile(rf"\b(?:(?:{CODES})\b{NAMED}|(?:{OTHER_NUMBERS})\b{NUMBER}\Z)", re.IGNORECASE)
LEAD = 40
"""Characters before a number in which the word is looked for."""

_CARD = re.compile(
    r"(?=[0-9]{4})"  # told sooner than what stands before
    + _NOT_BEFORE
    + r"(?:[0-9]{12,19}|[0-9]{4}([ .\-])[0-9]{4}\1[0-9]{4}\1[0-9]{1,4}(?:\1[0-9]{1,3})?"
    + r"|[0-9]{4}([ .\-])[0-9]{6}\2[0-9]{4,5})"
    + _NOT_AFTER
)
_TCKN = re.compile("(?=[1-9][0-9]{10})" + _NOT_BEFORE + "[0-9]{11}" + _NOT_AFTER)
# In groups as most people write it. No other number may stand beside them, or every row of a table would hold a few.
_GROUPED_TCKN = re.compile(
    r"(?<![0-9][ .\-])" + _NOT_BEFORE + r"[1-9][0-9]{2}([ \-])[0-9]{3}\1[0-9]{3}\1[0-9]{2}(?![ .\-]?[0-9])" + _NOT_AFTER
)
# Behind a word that announces it: in whichever groups, and "TC10000000146Ad" too.
_NAMED_TCKN = re.compile(r"[1-9][0-9]{10}(?![0-9])|[1-9](?:[ .\-]?[0-9]){10}(?![ .\-]?[0-9])" + _NOT_AFTER)
_TCKN_WORD = re.compile(
    r"(?:\bkimlik|\btc(?:kn|_?kimlik\w*|_?no)?(?![^\W\d_])|\bt\.\s?c\.|vatandaşlık)[^0-9]{0,24}\Z", re.IGNORECASE
)
_IBAN = re.compile(
    r"(?<![\w])(?:[Ii][Bb][Aa][Nn])?((?:[A-Za-z]{2}|[A-Z]{2} )[0-9]{2}(?:[ .\-]{0,2}[A-Za-z0-9]){11,30})"
)
_NO_DIGIT = re.compile("[^0-9]")

# Issuer prefixes and lengths as the card schemes publish them (ISO/IEC 7812 allots the prefixes): lowest and
# highest prefix, lengths.
_ISSUERS: tuple[tuple[str, str, frozenset[int]], ...] = (
    ("4", "4", frozenset({13, 16, 19})),  # Visa
    ("51", "55", frozenset({16})),  # Mastercard
    ("2221", "2720", frozenset({16})),
    ("34", "34", frozenset({15})),  # American Express
    ("37", "37", frozenset({15})),
    ("300", "305", frozenset({14, 16, 19})),  # Diners Club
    ("3095", "3095", frozenset({14, 16, 19})),
    ("36", "36", frozenset({14, 16, 19})),
    ("38", "39", frozenset({14, 16, 19})),
    ("6011", "6011", frozenset({16, 19})),  # Discover
    ("644", "659", frozenset({16, 19})),
    ("2131", "2131", frozenset({15})),  # JCB
    ("1800", "1800", frozenset({15})),
    ("35", "35", frozenset({16, 17, 18, 19})),  # 3528 to 3589 by the registry; nobody else has the rest of 35
    ("62", "62", frozenset({16, 17, 18, 19})),  # UnionPay
    ("9792", "9792", frozenset({16})),  # Troy
    ("2200", "2204", frozenset({16})),  # Mir
    ("5018", "5018", frozenset(range(12, 20))),  # Maestro, and Laser and Solo before it
    ("5020", "5020", frozenset(range(12, 20))),
    ("5038", "5038", frozenset(range(12, 20))),
    ("56", "58", frozenset(range(12, 20))),
    ("6304", "6304", frozenset(range(12, 20))),
    ("6390", "6390", frozenset(range(12, 20))),
    ("67", "67", frozenset(range(12, 20))),
    ("0604", "0604", frozenset(range(12, 20))),
)
_BY_DIGIT = {digit: [issuer for issuer in _ISSUERS if issuer[0][0] <= digit <= issuer[1][0]] for digit in "0123456789"}
"""The issuers whose numbers begin with a digit."""


def card_at(text: str, at: int) -> tuple[int, int] | None:
    """The payment card that starts at `at`: in one piece, or grouped as it is embossed."""
    found = _CARD.match(text, at)
    if not found:
        return None
    digits = _NO_DIGIT.sub("", found[0])
    if not _has_issuer(digits) or not luhn.is_valid(digits) or NAMED_OTHERWISE.search(text, max(at - LEAD, 0), at):
        return None
    return found.span()


def _has_issuer(digits: str) -> bool:
    return any(
        low <= digits[: len(low)] <= high and len(digits) in lengths for low, high, lengths in _BY_DIGIT[digits[0]]
    )


def tckn_at(text: str, at: int) -> tuple[int, int] | None:
    """The Turkish identity number that starts at `at`, in one piece or in groups."""
    found = _TCKN.match(text, at) or _GROUPED_TCKN.match(text, at) or _NAMED_TCKN.match(text, at)
    if not found or not tckimlik.is_valid(_NO_DIGIT.sub("", found[0])):
        return None
    lead = max(at - LEAD, 0)
    if found.re is _NAMED_TCKN and not _TCKN_WORD.search(text, lead, at):
        return None
    return None if NAMED_OTHERWISE.search(text, lead, at) else found.span()


def iban_spans(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Account numbers between two places, in groups of four or in one piece, in either case of letters."""
    position = max(start, 0)
    while (found := _IBAN.search(text, position, end)) is not None:
        number, first = found[1], found.start(1)
        position = first + 2  # what looks like one ("no 12 …") may run into one
        last = first + _take(number, _iban_length(number[:2].upper()))
        if last == first or (after := text[last : last + 1]).isalnum() or after == "_":
            continue
        # Structure and MOD 97-10 only: national check digits inside are optional in the standard.
        if iban.is_valid(text[first:last], check_country=False):
            position = last
            yield first, last


def _take(candidate: str, length: int) -> int:
    """Where the first `length` letters and digits of `candidate` end; 0 where it has fewer."""
    taken = 0
    for index, character in enumerate(candidate):
        taken += character.isalnum()
        if taken == length:
            return index + 1
    return 0


@cache
def _iban_length(country: str) -> int:
    """Characters of an account number of `country` by ISO 13616's registry; 0 where the country has none."""
    fields = numdb.get("iban").info(country)[0][1]
    return 4 + sum(int(size) for size in re.findall("([0-9]+)!", fields["bban"])) if fields else 0
