"""Encoding repair."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from elek.text.encoding import SEGMENT, repair, repair_turkish

SENTENCES = ["Çağdaş şairin ışığı İstanbul’u gördü.", "“Naïve café” — it’s déjà vu…", "Ülke güneşli, 🔑 öğle sıcağı."]


@pytest.mark.parametrize("sentence", SENTENCES)
@pytest.mark.parametrize("page", ["latin-1", "sloppy-windows-1252", "sloppy-windows-1254"])
def test_utf8_read_as_a_code_page_is_read_again(sentence: str, page: str) -> None:
    """Misread once or twice, a sentence comes back with every Turkish letter and quotation mark in place."""
    misread = sentence.encode().decode(page)
    assert repair(misread) == sentence
    assert repair(misread.encode().decode("latin-1")) == sentence


@pytest.mark.parametrize(
    "text",
    [
        *SENTENCES,
        "Hiyerarşik Görünüm”ü seçin; “Misak-ı Millî”dir; İşte, Şiir, Ğ, Â, Î, Û.",
        "GÖRÜNÜŞ” ve ‘RÜZGÂR’ — âlâ, kâr, mahkûm",
        "“TÜRKÜ”, “ÖLÜ“ ve “GELDİ”; Ü“A, Ö”B; mevlâ’ya",
        "“Ne sevinç”“Evet”; “café”‘thé’",
        "Привет, мир. Ελληνικά. 中文 日本語 🙂",
        'plain ASCII, it\'s "quoted"',
        "",
    ],
)
def test_correct_text_stays_as_it_is(text: str) -> None:
    """Curly quotes stay curly, and Turkish capitals beside quotation marks are no damage."""
    assert repair(text) == text


@pytest.mark.parametrize("text", ["► Okumayı sürdür", "▪ Größe und Maße"])
def test_signs_misread_as_central_european_come_back(text: str) -> None:
    """Their bytes read as letters beside a dash: â–ş."""
    assert repair(text.encode().decode("cp1250")) == text


@given(st.text(alphabet="abcçdefgğhıijklmnoöprsştuüvyzâîûABCÇDEFGĞHIİJKLMNOÖPRSŞTUÜVYZÂÎÛ ’”“.,\n", max_size=60))
@example("ç“Ş")
@settings(deadline=None, max_examples=60)
def test_turkish_letters_beside_quotation_marks_are_no_damage(text: str) -> None:
    """However capitals, circumflexes and typographic marks meet, correct Turkish stays.

    But for a mark right after â, which is how ① and ─ are misread; of words such as mevlâ’ya see above.
    """
    text = re.sub("(?<=[âÂ])[’“”]", "", text)
    assert repair(text) == text


@given(st.text(alphabet="abcçdefgğhıijklmnoöprsştuüvyzİÖÜŞÇĞ ’”“…", min_size=12, max_size=60))
@settings(deadline=None, max_examples=60)
def test_whatever_was_misread_is_no_longer_than_before(text: str) -> None:
    """Repair of misread text never adds characters, and the second repair finds nothing to do."""
    misread = text.encode().decode("sloppy-windows-1252")
    repaired = repair(misread)
    assert len(repaired) <= len(misread)
    assert repair(repaired) == repaired


def test_turkish_that_was_read_as_latin1_is_read_again() -> None:
    """The six letters in which ISO 8859-9 and 8859-1 differ; Icelandic words in Turkish text stay."""
    text = "Geliþmiþ ülkelerde ýþýk ve doða, Ýstanbul’da Þubat"
    assert repair_turkish(text) == "Gelişmiş ülkelerde ışık ve doğa, İstanbul’da Şubat"
    assert repair_turkish("Guðrún şehirde") == "Guðrún şehirde"
    assert repair_turkish("plain") == "plain"


def test_a_very_long_line_is_repaired_in_pieces() -> None:
    """A damaged line longer than a segment keeps its length in words."""
    line = "TÃ¼rkÃ§e " * (SEGMENT // 4)
    repaired = repair(line)
    assert repaired.count("Türkçe") >= line.count("TÃ¼rkÃ§e") - len(line) // SEGMENT - 1
