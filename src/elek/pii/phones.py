"""Telephone numbers: by a shape that nothing else has, or by a plausible number beside a word of telephoning.

Validity alone (ITU-T E.164 plans, as libphonenumber holds them) proves nothing of ten bare digits: a tax number
or an order number is often a "valid" number of some country. So bare digits need a word such as "phone" or
"arayınız" near them, and no word such as "order" or "vergi" between; grouped digits speak for themselves where
the grouping is that of North America or of Turkey; a plus sign needs a country's possible length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import phonenumbers
from phonenumbers.phonemetadata import PhoneMetadata

from elek.pii.numbers import NAMED_OTHERWISE, OTHER_NUMBERS

_EXTENSION = r"(?:,?[ ]?(?:x|ext\.?|extension|dahili|\#)[ :.]{0,2}[0-9]{1,6}(?![\w]))?"
_AFTER = r"(?![\w]|[:%][0-9])"
_STRONG = re.compile(
    r"(?:"
    r"(?:1[ .\-]?)?\([0-9]{3}\)[ .\-]?[0-9]{3}[ .\-][0-9]{4}"  # (711) 378-5025, 1 (711) 378-5025
    r"|(?:1[.\- ])?[2-9][0-9]{2}([.\-]|[ ]-[ ])[0-9]{3}\1[0-9]{4}"  # 291-561-4610, 291 - 561 - 4610
    r"|0[ \-]?[2-9][0-9]{2}(?:[ .\-/]|[ ][\-/][ ])[0-9]{3}[ .\-]?[0-9]{2}[ .\-]?[0-9]{2}"  # 0 537 928 82 09
    r"|0[ ]?[2-9][0-9]{2}[ ](?:[0-9]{3}[ ][0-9]|[0-9]{2}[ ][0-9]{2})[ ][0-9]{3}"  # 0 850 222 0 333, 0532 12 34 567
    r"|0\.[2-9][0-9]{2}\.[0-9]{3}\.[0-9]{2}\.[0-9]{2}"
    r"|\((?:0[ \-]?)?[2-9][0-9]{2}\)[ ]?[0-9]{3}[ .\-]?[0-9]{2}[ .\-]?[0-9]{2}"  # (0312) 123 45 67
    r"|0[ ]?\([2-9][0-9]{2}\)[ ]?[0-9]{3}[ .\-]?[0-9]{2}[ .\-]?[0-9]{2}"
    r"|05[0-9]{9}"  # 05321234567
    r"|(?:90[ \-])?5[0-9]{2}([ \-])[0-9]{3}\2[0-9]{2}\2[0-9]{2}"  # 532 123 45 67
    r")" + _EXTENSION + _AFTER,
    re.IGNORECASE,
)
_GROUP = re.compile(r"[ ]?\(([0-9]{1,5})\)|[ .\-/]?([0-9]{1,15})")
MOST_DIGITS = 15
"""Of any number, by ITU-T E.164."""
FEWEST_DIGITS = 7
_LOOSE = re.compile(r"[+(]*[0-9](?:[ .\-()/]{0,2}[0-9]){0,24}")
_TAIL = re.compile(_EXTENSION + _AFTER, re.IGNORECASE)
_GOES_ON = re.compile(r"[\w\]][.\-/]\Z|[=\w]\Z")
_ANNOUNCED = re.compile(
    r"\b(?:(?:wa|t)\.me/|(?:\w{1,8}_)?(?:phone|tel|telefon|mobile|gsm|cep)\w{0,8}=|(?:tel|no|gsm|cep|fax|faks)\.)\Z",
    re.IGNORECASE,
)
"""What a number may follow without a space, though it ends in a sign that most others go on with."""
ANNOUNCED = 24
"""Characters before a number in which that is looked for."""
_ARGUMENT = re.compile(r"(?<!\btel)(?<!\bgsm)(?<!\bcep)(?<!\bfax)(?<!\bfaks)(?<!\btelefon)(?<=\w)\(\Z", re.IGNORECASE)
"""A bracket that opens the arguments of a call in a program, behind its name."""
_NO_DIGIT, _DIGITS = re.compile("[^0-9]"), re.compile("[0-9]+")
_PREFIX = re.compile(
    r"\(\+[1-9][0-9]{0,2}\)|\+|00(?=[1-9](?P<apart>[0-9]{0,2}(?![0-9]))?)|00[ ](?=[1-9][0-9]{0,2}[ ][0-9]{3})"
)
"""What a country's calling code follows, or holds it as in (+90); `apart` where it stands alone behind 00."""

_NO_PHONE = re.compile(
    r"\(*(?:[0-9]{4}([.\-/])[0-9]{1,2}\1[0-9]{1,2}|[0-9]{1,2}([.\-/])[0-9]{1,2}\2[0-9]{2,4}(?!\2[0-9])"  # dates
    r"|[12][0-9]{3}[ ]?[\-/][ ]?[12][0-9]{3}|(?:19|20)[0-9]{2}[ ](?:19|20)[0-9]{2}"  # years
    r"|[0-9]+\.[0-9]+(?!\.)|[0-9]{1,3}(?:\.[0-9]{3})+)(?![0-9])"  # decimals, thousands
)

# Words up to 40 characters before, the nearest one counts; the window ends at another number or a placeholder,
# so that masking one number never lends its word to the next.
BEFORE, BEHIND = 40, 32
_WINDOW_START = re.compile(r"[0-9\[\]]")  # looked for from the number towards the left
_WINDOW_BEHIND = re.compile(r"[^0-9\[\]]*")
_SENTENCE_END = re.compile(r"[.!?]\s*\n|\n\s*\n")
_PHONE = (
    r"\b(?:tel|tlf|telefon\w*|phone|phones|telephone\w*|mobile|mobil|cell|cellular|fax|faks|gsm|cep|call|calling|"
    r"dial|dialed|dialing|dialling|whatsapp|wa\.me|sms|text (?:me|us)|ring (?:me|us)|a ring|hotline|"
    r"(?:my|his|her|our|your|their) (?:new |direct )?number|"
    r"voicemail|pager|contact|reach|answering|messages? to|mesaj at\w*|ara|aray[ıi]n\w*|arayabil\w*|ula[şs]\w*|"
    r"numaray[ıi] çevir\w*|çağrı merkez\w*|müşteri hizmet\w*|(?:bilgi|randevu|rezervasyon|destek) için|"
    r"santral\w*|dahili|hat|hatt[ıi]\w{0,4})\b"
    r"|(?:\A|[.!?,;:]\s|\bbenim |\byeni )numaram\b"  # not the one of a customer or a tax payer
    r"|(?:\b|_)(?:phone|mobile|tel|telefon|gsm|cep|fax|faks)(?:_?(?:no|nr|num|number))?\b"
    r"|\b(?:home|work|office|desk|direct|ev|ofis|[iİ]ş)\s*:|\bph[.:]|[iİıI]leti[şs]im|[iİıI]rtibat|[☎✆📞📱📲]"
)
_OTHER = (
    rf"\b(?:{OTHER_NUMBERS}|vergi\w*|vkn|tax|iban|hesa[bp]\w*|accounts?|kart\w*|cards?|kimlik\w*|tckn|plaka\w*|sicil\w*|"
    r"date|tarih\w*|zip|posta|ssn|passport|pasaport\w*|licen[cs]e|ehliyet\w*|id|rfc|port|bytes|error)\b|\bt\.\s?c\."
)
_WORD = re.compile(rf"(?P<phone>{_PHONE})|(?P<other>{_OTHER})", re.IGNORECASE)
_BEHIND = re.compile(
    r"[ \-–(]{0,3}(?:office|fax|faks|mobile|cell|home|work|desk|tel|gsm|ofis|dahili)\b"
    r"|.{0,6}\b(?:numaral[ıi]|no['’]?lu)\s+(?:\w+\s+)?(?:hat|telefon|cep|gsm)|.{0,4}\bnumara\w*\s+(?:\w+\s+)?(?:ara|ula[şs])"
    r"|['’ ]?(?:[dt][ea]n|y?[ıiuü])\s+(?:ara|ula[şs])|['’ ]?y?[ae]\s+(?:mesaj|sms|whatsapp)",
    re.IGNORECASE,
)


def phone_at(text: str, at: int) -> tuple[int, int] | None:
    """The telephone number that starts at `at` (a digit, a plus sign or a bracket)."""
    if _GOES_ON.search(text, max(at - 2, 0), at) and not _ANNOUNCED.search(text, max(at - ANNOUNCED, 0), at):
        return None
    if prefix := _PREFIX.match(text, at):
        return _international(text, at, prefix)
    if strong := _STRONG.match(text, at):
        return None if NAMED_OTHERWISE.search(text, max(at - BEFORE, 0), at) else strong.span()
    # Most numbers are of no form at all, which is told sooner than what stands around them.
    found = _contextual(text, at, at)
    if found is None or (text[slice(*found)].isdigit() and _ARGUMENT.search(text, max(at - 2, 0), at)):
        return None
    return found if _in_context(text, at) else None


def _international(text: str, at: int, prefix: re.Match[str]) -> tuple[int, int] | None:
    """The longest run of groups that is a possible number of its country."""
    context = _in_context(text, at)
    for end in reversed(_group_ends(text, prefix.end())):
        digits = _NO_DIGIT.sub("", text[at:end]).removeprefix("00")
        if not 8 <= len(digits) <= MOST_DIGITS or not (tail := _TAIL.match(text, end)):
            continue
        if _is_possible(digits, certain=prefix[0] == "00" and prefix["apart"] is None and not context):
            return at, tail.end()
    return _contextual(text, at, prefix.end()) if context else None


def _is_possible(digits: str, certain: bool = False) -> bool:
    """Whether a country has numbers of this length, or, if `certain`, this very number in its plan."""
    plan = next((found for size in (1, 2, 3) if (found := _plan(digits[:size]))), None)
    if plan is None:
        return False
    # Most numbers are ruled out here: libphonenumber takes a twentieth of a millisecond for each.
    national = plan.national(digits)
    if certain and not any(len(one) in sizes and form.fullmatch(one) for one in national for sizes, form in plan.forms):
        return False
    if not certain and not any(len(one) in plan.sizes for one in national):
        return False
    try:
        number = phonenumbers.parse("+" + digits, None)
    except phonenumbers.NumberParseException:
        return False
    if certain:
        return phonenumbers.is_valid_number(number)
    return phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE


@dataclass(frozen=True)
class _Plan:
    """What libphonenumber knows of the numbers behind a calling code, as far as it rules numbers out."""

    code: str
    prefix: re.Pattern[str] | None
    """What is dialled within the country and is no part of the number."""
    transform: str | None
    sizes: frozenset[int]
    """Digits of a number."""
    forms: tuple[tuple[frozenset[int], re.Pattern[str]], ...]
    """Of each region that shares the code: digits, and all of its numbers."""

    def national(self, digits: str) -> tuple[str, ...]:
        """What the number within the country can be: all that follows the code, or that without a prefix."""
        rest = digits[len(self.code) :]
        if self.prefix is None or (found := self.prefix.match(rest)) is None:
            return (rest,)
        if self.transform and found.lastindex and found[len(found.groups())] is not None:
            return rest, self.prefix.sub(self.transform, rest, count=1)
        return rest, rest[found.end() :]


@cache
def _plan(code: str) -> _Plan | None:
    """None where no country has the calling code."""
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(code))
    if regions is None or code.startswith("0"):
        return None
    known: list[Any] = [PhoneMetadata.metadata_for_region_or_calling_code(int(code), region) for region in regions]
    first, general = known[0], [item.general_desc for item in known]
    prefix = first.national_prefix_for_parsing
    return _Plan(
        code,
        re.compile(prefix) if prefix else None,
        first.national_prefix_transform_rule,
        frozenset(first.general_desc.possible_length),
        tuple((frozenset(item.possible_length), re.compile(item.national_number_pattern)) for item in general),
    )


def _contextual(text: str, at: int, digits_at: int) -> tuple[int, int] | None:
    """Any plausible grouping, where a word says that it is a telephone number."""
    ends = _group_ends(text, digits_at)
    if not ends or ends[-1] - digits_at < FEWEST_DIGITS or _NO_PHONE.match(text, digits_at):
        return None
    short = text.startswith("444", digits_at)  # Turkish companies' numbers have seven digits
    for end in reversed(ends):
        sizes = [len(group) for group in _DIGITS.findall(text[digits_at:end])]
        if "." in text[digits_at:end] and " " in text[digits_at:end]:  # a table of decimals
            continue
        least, most = (10, 13) if len(sizes) == 1 and not short else (FEWEST_DIGITS, MOST_DIGITS)
        enough = least <= sum(sizes) <= most
        if enough and sizes.count(1) <= 1 and (tail := _TAIL.match(text, end)):
            return at, tail.end()
    return None


def _group_ends(text: str, start: int) -> list[int]:
    """Where groups of digits end, one after another: seven at most, of MOST_DIGITS together."""
    ends: list[int] = []
    left = MOST_DIGITS
    while len(ends) < 7 and (group := _GROUP.match(text, start)):
        first, last = group.span(group.lastindex or 0)
        left -= last - first
        if left < 0:
            break
        start = group.end()
        ends.append(start)
    return ends


def _in_context(text: str, at: int) -> bool:
    window = text[max(at - BEFORE, 0) : at]
    if start := _WINDOW_START.search(window[::-1]):
        window = window[len(window) - start.start() :]
    # Between the numbers of a table there is nothing to look at.
    if window.strip() and (words := list(_WORD.finditer(_SENTENCE_END.split(window)[-1]))):
        return words[-1].lastgroup == "phone"
    number = _LOOSE.match(text, at)
    behind = _WINDOW_BEHIND.match(text, number.end(), number.end() + BEHIND) if number else None
    return behind is not None and _BEHIND.match(behind[0]) is not None
