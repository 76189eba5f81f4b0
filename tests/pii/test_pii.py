"""Personal data: what is found, what is left alone, and that masking is final."""

from __future__ import annotations

import re
from itertools import pairwise

import phonenumbers
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from stdnum import iban as iban_number
from stdnum import luhn
from stdnum.tr import tckimlik

from elek.pii import PII_TYPES, find, mask, placeholder
from elek.pii.phones import _is_possible


def found(text: str) -> list[tuple[str, str]]:
    return [(span.type, text[span.start : span.end]) for span in find(text)]


def digits(count: int, first: str = "0123456789") -> st.SearchStrategy[str]:
    return st.tuples(st.sampled_from(first), st.text("0123456789", min_size=count - 1, max_size=count - 1)).map("".join)


@given(st.one_of(digits(12), digits(11, "1479"), digits(10, "1"), digits(14, "4"), digits(9, "2389")), st.booleans())
@settings(deadline=None, max_examples=60)
def test_what_is_ruled_out_early_is_no_number(number: str, certain: bool) -> None:
    """The cheap look at calling code and lengths never contradicts libphonenumber."""
    try:
        parsed = phonenumbers.parse(f"+{number}", None)
        form = phonenumbers.is_possible_number_with_reason(parsed) == phonenumbers.ValidationResult.IS_POSSIBLE
        expected = phonenumbers.is_valid_number(parsed) if certain else form
    except phonenumbers.NumberParseException:
        expected = False
    assert _is_possible(number, certain) == expected


cards = st.one_of(
    digits(14).map(lambda n: "4" + n),
    digits(13).map(lambda n: "51" + n),
    digits(11).map(lambda n: "6011" + n),
    digits(11).map(lambda n: "9792" + n),
    digits(12).map(lambda n: "37" + n),
).map(lambda payload: payload + luhn.calc_check_digit(payload))
tckns = digits(9, "123456789").map(lambda payload: payload + tckimlik.calc_check_digits(payload + "00"))
ibans = st.one_of(
    digits(5).flatmap(lambda bank: digits(16).map(lambda n: "TR00" + bank + "0" + n)),
    digits(14).map(lambda n: "GB00ABCD" + n),
    digits(18).map(lambda n: "DE00" + n),
).map(lambda n: n[:2] + iban_number.calc_check_digits(n) + n[4:])


@given(cards)
@settings(deadline=None, max_examples=50)
def test_every_valid_card_is_found(number: str) -> None:
    """In one piece, in brackets and in groups of four."""
    assert found(f"Kartım ({number}) çalındı.") == [("card", number)]
    for separator in "-. \u00a0" if len(number) == 16 else "":
        grouped = separator.join(re.findall(".{1,4}", number))
        assert found(f"card {grouped}, please") == [("card", grouped)]


@given(tckns)
@example("10110010172")
@settings(deadline=None, max_examples=50)
def test_every_valid_identity_number_is_found(number: str) -> None:
    """Before a full stop too, and in groups; with one digit changed it is just a number."""
    assert found(f"T.C. kimlik no: {number}.") == [("tckn", number)]
    parts = (number[:3], number[3:6], number[6:9], number[9:])
    for grouped in (" ".join(parts), "-".join(parts), "\u202f".join(parts)):
        assert found(f"Ayşe Yılmaz ({grouped}), İzmir") == [("tckn", grouped)]
    dotted, halves = ".".join(parts), f"{number[:5]} {number[5:]}"
    assert found(f"TC kimlik numarası {halves} olan") == [("tckn", halves)]
    # 101.100.101.72 could be either, and is masked as either.
    assert found(f"TC kimlik numarası {dotted} olan") in ([("tckn", dotted)], [("ip", dotted)])
    assert "tckn" not in dict(found(f"satır {number[:5]} {number[5:]} toplam"))
    assert found(f"7 {parts[0]} {' '.join(parts[1:])}") == []  # a row of a table
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    assert ("tckn", wrong) not in found(f"T.C. kimlik no: {wrong}.")


@given(ibans, st.booleans())
@settings(deadline=None, max_examples=50)
def test_every_valid_account_number_is_found(number: str, grouped: bool) -> None:
    """In groups or in one piece, followed by a word, in small letters; never in parts as something else."""
    for separator in ("-", ".", "  ", "\u00a0"):
        other = separator.join(re.findall(".{1,4}", number))
        assert found(f"IBAN: {other}. Ali Veli") == [("iban", other)]
    written = " ".join(re.findall(".{1,4}", number)) if grouped else number
    assert found(f"IBAN: {written} Ali Veli") == [("iban", written)]
    assert found(f"{written.lower()}.") == [("iban", written.lower())]
    apart = f"{written[:2]} {written[2:]}"
    assert found(f"hesap no12 {apart}") == [("iban", apart)]  # behind what begins like a Norwegian one


@pytest.mark.parametrize(
    "number",
    [
        "+90 532 123 45 67",
        "+905321234567",
        "+90(312)123-4567x12",
        "0532 123 45 67",
        "0 532 123 45 67",
        "05321234567",
        "(0312) 123 45 67",
        "0312-123 4567",
        "532 123 45 67",
        "+1-202-555-0143",
        "(202) 555-0143",
        "202-555-0143",
        "202.555.0143 x12",
        "1-800-555-0199",
        "001-202-555-0143",
        "+44 20 7946 0958",
        "+49 (0) 30 123456",
        "00905321234567",
        "0 (532) 123 45 67",
        "0532-123-4567",
        "0532/123 45 67",
        "0532 - 123 45 67",
        "0-532-123-45-67",
        "0532\u00a0123\u00a045\u00a067",
        "90 532 123 45 67",
        "0 850 222 0 333",
        "1 (202) 555-0143",
        "(+90) 532 123 45 67",
        "(+1)202-555-0143",
        "(0 312) 123 45 67",
        "0532 12 34 567",
        "0.532.123.45.67",
        "00 90 532 123 45 67",
        "0532\u2013123\u201345\u201367",
        "202\u2012555\u20120143",
        "+1 202 555 0143, ext. 12",
        "202 - 555 - 0143",
        "(202).555.0143",
    ],
)
def test_numbers_that_look_like_telephones_are_found(number: str) -> None:
    """Turkish, North American and international shapes need no word beside them."""
    assert found(f"Ayşe, {number}, İzmir") == [("phone", number)]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("call me at 2025550143 please", "2025550143"),
        ("Tel: 020 7946 0958", "020 7946 0958"),
        ("2025550143-Office", "2025550143"),
        ("Bilgi için 444 1 123 numaralı hattı arayınız", "444 1 123"),
        ("02121234567 numarasından ulaşabilirsiniz", "02121234567"),
        ("Fax +1 555 1234", "+1 555 1234"),
        ("https://wa.me/905321234567?text=merhaba", "905321234567"),
        ("https://wa.me/+905321234567", "+905321234567"),
        ("https://api.whatsapp.com/send?phone=905321234567&text", "905321234567"),
        ("Tel.0312 123 45 67", "0312 123 45 67"),
        ("Tel.No.3121234567", "3121234567"),
        ("📞2025550143", "2025550143"),
        ("Çağrı merkezimiz 4440123", "4440123"),
        ("my number is 2025550143.", "2025550143"),
        ("give me a ring: 07700900123", "07700900123"),
        ("Çağrı merkezi: 444 0 123", "444 0 123"),
        ("5321234567 no'lu telefondan", "5321234567"),
        ("Tel: 0 216 4567890 Dahili: 123", "0 216 4567890 Dahili: 123"),
        ("Yeni işe girdim, numaram 5321234567", "5321234567"),
        ("beni 5321234567 den ara", "5321234567"),
        ("İrtibat: 3121234567", "3121234567"),
        ("mobile_phone=+1 202 555 0143", "+1 202 555 0143"),
        ("phone_number: 07700 900123", "07700 900123"),
        ("Ph. 2025550143", "2025550143"),
        ("tel 01.42.34.56.78", "01.42.34.56.78"),
        ("Tel(3121234567)", "3121234567"),
    ],
)
def test_plausible_numbers_beside_a_word_of_telephoning_are_found(text: str, number: str) -> None:
    """The word may stand before or behind."""
    assert found(text) == [("phone", number)]


@pytest.mark.parametrize(
    "address",
    [
        "ali.veli+x@mail.example.com",
        "ali+etiket@örnek.com",
        "ÇAĞRI.ÖZ@ŞİRKET.COM.TR",
        "ü.ş@örnek.com.tr",
        "o'neil@example.org",
        "a@b.co",
    ],
)
def test_mail_addresses_are_found(address: str) -> None:
    """Dots, plus signs and international letters are part of the address; the full stop behind is not."""
    assert found(f"yaz: <{address}>, ya da {address}.") == [("email", address)] * 2
    assert found(f"yaz: _{address}_") == [("email", address)]  # emphasis in Markdown


@pytest.mark.parametrize("address", ["ali (at) ornek.org", "a.veli[at]ornek[dot]org", "ali {AT} x.edu.tr"])
def test_an_at_that_is_spelled_out_is_found(address: str) -> None:
    """In brackets, as people write it to hide from collectors of addresses."""
    assert found(f"Yazın: <{address}>.") == [("email", address)]


@pytest.mark.parametrize("address", ["194.203.101.143", "93.184.216.34", "2a02:42fe::4", "2606:4700:4700::1111"])
def test_public_addresses_are_found(address: str) -> None:
    """Whatever port or punctuation follows."""
    assert found(f"Sunucu {address} yanıt vermedi ({address}), client={address}.") == [("ip", address)] * 3


@pytest.mark.parametrize(
    "text",
    [
        "Django 4.2.26.1 and 5.2.8, Chrome/91.0.4472.124, section 49.6.4.13. Stream callbacks",
        "127.0.0.1:8000, 192.168.1.1, 10.0.0.5, 172.16.0.1, 192.0.2.30, 0.0.0.0, 255.255.255.0, 999.1.1.1",
        "::1, fe80::1, 2001:db8::1, a::before, std::vector, published in 2008::",
        "2021-02-24 22:00:31.702147, 16.05.1919, 1914-1918, 12/25/2024, (2008-02-07)",
        "ISBN 978-0-13-110362-7, ISBN-10 0-321-12521-5, ISSN 0317-8471, 9780131103627",
        "3.14159265358979, 1.000.000.000, 6,02214076e23, 12345.6789, 1e-10, 2**64 = 18446744073709551616",
        "550e8400-e29b-41d4-a716-446655440000, /id/4111111111111111, v1-4111111111111111-x",
        "Vergi numaramız 7876461615; sipariş no 2025550143; account 2025550143",
        "65 MJJ 9265 plakalı araç, 35430 Urla, TX 16062, 1024 ile 65535 arasında",
        "logo@2x.png, @decorator, x @ y, lodash@4.17.21, @user, a@b, foo@localhost, root@",
        "4111111111111112, 1234567890123456, 0000000000000000, GB00ABCD12345678901234, TR12 3456",
        "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15",
        "Order #202-555-0143 shipped, seri no: 532 123 45 67",
        "Telefon 2011 2012 2013 modelleri, hat 1914\u20131918, RELA 0000 003200 000018 18 AIo",
        "barkod 4588762637387, serial number: 574842140604, takip numarası 10000000146, IMEI no 570725923574190",
        "git clone git@github.com:ali/sieve.git ssh://git@example.com/ali/sieve",
        "12,10000000146 10000000146,5 4111111111111111.png 10000000146.html",
        "Deprem 7,8 büyüklüğünde, 8,6 km derinlikte; saat 12:30:45",
        "[EMAIL] [PHONE] [IBAN] [CARD] [TCKN] [IP]",
        "call f(2025550143), return dial(5551234567);",
        "vergi numaram 5321234567",
        "if (at) list.append(x), while (at) node.next(), what (at) last",
        "",
    ],
)
def test_other_numbers_are_left_alone(text: str) -> None:
    """Versions, dates, books, decimals, identifiers, private and documentation addresses are no personal data."""
    assert found(text) == []


@pytest.mark.parametrize("lead", ["Sipariş: ", "Orders: ", "E-posta / ref: ", "Kart: ", "Takip – "])
def test_a_number_of_a_clear_form_stays_a_phone(lead: str) -> None:
    """Behind a word that alone names no other number: people call to place an order."""
    assert found(f"{lead}0532 928 82 09") == [("phone", "0532 928 82 09")]


@pytest.mark.parametrize(
    ("text", "kind", "number"),
    [
        ("Ayşe,{},İzmir", "tckn", "10000000146"),  # a row of a csv file
        ("kimlik {}.Ayrıca", "tckn", "10000000146"),  # no space behind the full stop
        ("T.C.{}", "tckn", "10000000146"),
        ("TC No.{}", "tckn", "10000000146"),
        ("TC-{}", "tckn", "10000000146"),
        ("TC{}", "tckn", "10000000146"),
        ("tckn_{}", "tckn", "10000000146"),
        ("Kimlik No:{}Ad:Ali", "tckn", "10000000146"),
        ("Kart no:{}.Lütfen", "card", "5555555555554444"),
        ("Ali,{},Visa", "card", "5555555555554444"),
        ("kart {}", "card", "5555\u20135555\u20135555\u20134444"),
        ("IBAN{}", "iban", "TR330006100519786457841326"),
        ("iban {}", "iban", "TR33\u20130006\u20131005\u20131978\u20136457\u20138413\u201326"),
    ],
)
def test_numbers_without_a_space_are_found(text: str, kind: str, number: str) -> None:
    """People leave out the space before or behind a number, and type dashes of any width."""
    assert found(text.format(number)) == [(kind, number)]


def test_mask_replaces_and_counts() -> None:
    """Each span by the placeholder of its kind; text around it stays to the letter."""
    text = "Ali (ali@example.com, 0532 123 45 67) ve Ayşe <ayse@example.org>; 4111 1111 1111 1111."
    masked, counts = mask(text)
    assert masked == "Ali ([EMAIL], [PHONE]) ve Ayşe <[EMAIL]>; [CARD]."
    assert counts == {"email": 2, "phone": 1, "card": 1}
    assert mask("nothing here 2024") == ("nothing here 2024", {})


def test_kinds_can_be_chosen() -> None:
    """What is not asked for is neither found nor taken for something else."""
    assert mask("TR330006100519786457841326 a@b.co", ["email"]) == ("TR330006100519786457841326 [EMAIL]", {"email": 1})


PIECES = """ali@example.com|0532 123 45 67|+90 312 123 4567|2025550143|12345678|4111111111111111|10000000146|x|x12
194.203.101.143|TR330006100519786457841326|2a02:42fe::4|tel: |call |hesap |office|1|23|4567|[PHONE]|[|]|(|)|+|-|.|,
/|:|@| |  |numaralı hattı|.com|wa.me/|no.|seri no |tckn_|TC| (at) |numaram |f(|=|–|TC-|,Ali"""
pieces = st.sampled_from(["\n", *PIECES.replace("\n", "|").split("|")])


@given(st.lists(pieces, max_size=12).map("".join))
@settings(deadline=None, max_examples=60)
def test_masked_text_is_final(text: str) -> None:
    """However data and context meet, masking masked text changes nothing, and spans lie in order, apart."""
    spans = find(text)
    assert all(a.end <= b.start for a, b in pairwise(spans))
    assert all(span.type in PII_TYPES and 0 <= span.start < span.end <= len(text) for span in spans)
    masked, counts = mask(text)
    assert mask(masked) == (masked, {})
    assert sum(counts.values()) >= len(spans)
    for kind in PII_TYPES:
        assert masked.count(placeholder(kind)) >= counts.get(kind, 0)


@given(st.text(max_size=60))
@settings(deadline=None, max_examples=60)
def test_no_text_breaks_it(text: str) -> None:
    """Any Unicode goes through; text without digits and without @ comes back as it was."""
    masked, counts = mask(text)
    assert bool(counts) == (masked != text)
    if not re.search("[0-9@]", text):
        assert masked == text


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Telefon\u20130532 123 45 67", "Telefon\u2013[PHONE]"),
        ("0532 123 45 67\u20130533 123 45 67", "[PHONE]\u2013[PHONE]"),
        ("TC Kimlik No 10000000146\u2013Ahmet", "TC Kimlik No [TCKN]\u2013Ahmet"),
        ("Kart\u20134111111111111111", "Kart\u2013[CARD]"),
        ("IP: 85.105.12.77\u2013sunucu", "IP: [IP]\u2013sunucu"),
    ],
)
def test_a_dash_beside_a_number_hides_nothing(text: str, masked: str) -> None:
    """Between words a dash parts them; only within a number it joins the groups."""
    assert mask(text)[0] == masked


@pytest.mark.parametrize(
    "text",
    [
        "Order 4111 1111 1111 1111",
        "Fatura 10000000146 Ahmet",
        "Ref: 10000000146",
        "git@example.com: yaz",
        "Kart no: 0532 123 45 67",
    ],
)
def test_a_word_alone_hides_no_number(text: str) -> None:
    """An invoice may bear a person's number, and what a check digit proves is masked unless something else is named."""
    assert len(found(text)) == 1


def test_a_number_before_an_account_is_found_at_once() -> None:
    """An account number is seen from the digits before it; what stands between the two is looked at all the same."""
    text = "12345 tel 0532 123 45 67 TR330006100519786457841326"
    assert [span.type for span in find(text)] == ["phone", "iban"]
