"""Cleaning, step by step and a part at a time."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from elek.dataset import DOCUMENT, read_part, write_part
from elek.errors import DataError, ParamsError
from elek.params import parse
from elek.pii import PII_TYPES
from elek.text.cleaning import (
    SCHEMA,
    CleanParams,
    CleanTask,
    clean_part,
    clean_table,
    clean_text,
    mask_meta,
)
from elek.text.steps import STEPS, clean_characters, clean_whitespace

OFF = CleanParams(encoding=False, markup=False, characters=False, unicode=False, whitespace=False, pii=())


def documents(*texts: str | bytes, lang: str = "tr") -> pa.Table:
    raw = pa.array([text.encode() if isinstance(text, str) else text for text in texts], pa.large_binary())
    count = len(texts)
    columns = {
        "id": pa.array([f"d{n}" for n in range(count)]),
        "text": raw.view(pa.large_string()),
        "source": pa.array(["made"] * count),
        "license": pa.array(["CC0-1.0"] * count),
        "lang": pa.array([lang] * count),
        "url": pa.array([""] * count),
        "meta": pa.array(["{}"] * count),
    }
    return pa.table([columns[name] for name in DOCUMENT.names], schema=DOCUMENT)


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("a\x00b\x07c\x7fd", "abcd"),
        ("\ufeffstart\u200b mid\u2060dle\u00ad", "start middle"),
        ("one\r\ntwo\rthree\u2028four\x0cfive\x85six", "one\ntwo\nthree\nfour\nfive\nsix"),
        ("\u202eesrever\u202c", "esrever"),
        ("10\u00a0000\u2009km", "10 000 km"),
        ("tab\tand\nnewline stay", "tab\tand\nnewline stay"),
        ("\ud83d\ude42 and \ud800 alone", "🙂 and \ufffd alone"),
        ("👩\u200d🔬 stays, Latin\u200d joined does not", "👩\u200d🔬 stays, Latin joined does not"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("Çağrı “ışık” — İğne…", "Çağrı “ışık” — İğne…"),
        ("", ""),
    ],
)
def test_characters(dirty: str, clean: str) -> None:
    """Control, zero-width and direction characters go; spelling, quotation marks and emoji stay."""
    assert clean_characters(dirty) == clean


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("a  \nb\t\n", "a\nb"),
        ("a\n\n\n\n\n\nb", "a\n\n\nb"),
        ("a\n\n\nb", "a\n\n\nb"),
        ("\n\n  indented", "  indented"),
        ("   \n \t \n", ""),
        ("a\n  \n \n\t\n   \nb", "a\n\n\nb"),
    ],
)
def test_whitespace(dirty: str, clean: str) -> None:
    """Line ends lose their spaces, two empty lines are the most, indentation stays."""
    assert clean_whitespace(dirty) == clean


@given(st.text(max_size=80))
@settings(deadline=None, max_examples=60)
def test_clean_text_keeps_its_promises(text: str) -> None:
    """NFC, no control characters, no trailing spaces, at most two empty lines, encodable as UTF-8."""
    cleaned, changes = clean_text(text, CleanParams(), "tr")
    assert unicodedata.is_normalized("NFC", cleaned)
    assert not [c for c in cleaned if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t"]
    assert "\n\n\n\n" not in cleaned
    assert all(line == line.rstrip(" \t") for line in cleaned.split("\n"))
    assert cleaned.encode().decode() == cleaned
    assert bool(changes) == (cleaned != text)
    assert set(changes) <= set(STEPS)


@given(st.text(alphabet="ab ıİی\n\t\r\x00\u200b\u200d\u00e9e\u0301“”.", max_size=60))
@example("é\x00”“")
@settings(deadline=None, max_examples=60)
def test_cleaning_twice_changes_nothing(text: str) -> None:
    """Clean prose is a fixed point."""
    once, _ = clean_text(text, CleanParams(), "tr")
    assert clean_text(once, CleanParams(), "tr") == (once, [])


def test_every_step_can_be_switched_off() -> None:
    """With everything off, text goes through as it is; with one step on, only that step is named."""
    text = "TÃ¼rk\u200b e\u0301  \n\n\n\n\nson ali@example.com"
    assert clean_text(text, OFF) == (text, [])
    for step in ("encoding", "characters", "unicode", "whitespace"):
        assert clean_text(text, OFF.model_copy(update={step: True}))[1] == [step]


def test_the_turkish_repair_is_for_turkish_only() -> None:
    """þ is ş in a document declared Turkish, and þ in any other."""
    assert clean_text("geliþmiþ", CleanParams(), "tr") == ("gelişmiş", ["encoding"])
    assert clean_text("geliþmiþ", CleanParams(), "is") == ("geliþmiþ", [])


def test_a_table_is_cleaned_row_for_row_and_counted() -> None:
    """Rows keep their order, placeholders are counted by document and kind, an emptied document stays as a row."""
    table = documents(
        "Temiz metin.", "x\u200by ali@example.com ve veli@example.org", "\u200b \n", b"broken \xff\xed\xa0\x80"
    )
    cleaned, counts = clean_table(table, CleanParams())
    assert cleaned.schema == SCHEMA
    assert cleaned["id"].to_pylist() == table["id"].to_pylist()
    texts = cleaned["text"].to_pylist()
    assert texts[:3] == ["Temiz metin.", "xy [EMAIL] ve [EMAIL]", ""]
    assert texts[3].startswith("broken \ufffd")
    assert cleaned["pii.email"].to_pylist() == [0, 2, 0, 0]
    assert counts["documents"] == 4
    assert counts["changed"] == 2  # broken UTF-8 was mended before any step saw it
    assert (counts["changed.characters"], counts["changed.pii"], counts["pii.email"]) == (2, 1, 2)
    assert counts["bytes_in"] == sum(len(value.as_py()) for value in table["text"].chunk(0).view(pa.large_binary()))
    assert counts["bytes_out"] == sum(len(text.encode()) for text in texts)


def test_kinds_of_personal_data_can_be_chosen() -> None:
    """Only the kinds that params name are masked; the columns of the others are there and zero."""
    cleaned, _ = clean_table(documents("ali@example.com 0532 123 45 67"), CleanParams(pii=("phone",)))
    assert cleaned["text"].to_pylist() == ["ali@example.com [PHONE]"]
    assert [cleaned[f"pii.{kind}"].to_pylist()[0] for kind in PII_TYPES] == [0, 1, 0, 0, 0, 0]


def test_personal_data_in_the_metadata_is_masked_too() -> None:
    """Strings and numbers at any depth, with their key for a word of context; other numbers stay numbers, and what
    needs no masking keeps its bytes."""
    meta = '{"by": ["Ali <ali@example.com>", {"tel": "0532 123 45 67"}], "n": 10000000146, "row": 7}'
    expected = '{"by": ["Ali <[EMAIL]>", {"tel": "[PHONE]"}], "n": "[TCKN]", "row": 7}'
    assert mask_meta(meta, PII_TYPES) == expected
    assert mask_meta('{"phone_number": "2025550143", "views": 2025550143}', PII_TYPES) == (
        '{"phone_number": "[PHONE]", "views": 2025550143}'
    )
    assert mask_meta('{"ali@example.com": ["veli@example.com"]}', PII_TYPES) == '{"[EMAIL]": ["[EMAIL]"]}'
    assert mask_meta('{"b":1,  "a":2}', PII_TYPES) == '{"b":1,  "a":2}'


URLS = {
    "https://example.org/n?to=ali@example.com&a=1": "https://example.org/n?to=[EMAIL]&a=1",
    "https://example.org/n?to=ali%40example.com": "https://example.org/n?to=[EMAIL]",
    "https://wa.me/905321234567?text=x": "https://wa.me/[PHONE]?text=x",
    "tel:+905321234567": "tel:[PHONE]",
    "https://example.org/?phone=05321234567": "https://example.org/?phone=[PHONE]",
    "https://example.org/pay/TR330006100519786457841326": "https://example.org/pay/[IBAN]",
}
PLAIN_URLS = [
    *("https://example.org/05321234567", "https://example.org/?id=4111111111111111", "http://85.105.33.77/a"),
    *(
        "https://example.org/?tel=4111111111111111",
        "https://example.org/hotel/10000000146",
        "https://example.org/@ali/a",
    ),
]


def test_personal_data_in_a_document_s_address_is_masked() -> None:
    """Addresses, telephones behind a word that says so, and accounts; the numbers of pages stay."""
    urls = [*URLS, *PLAIN_URLS]
    table = documents(*map(str, range(len(urls))))
    table = table.set_column(table.schema.get_field_index("url"), table.schema.field("url"), pa.array(urls))
    cleaned, _ = clean_table(table, CleanParams())
    assert cleaned["url"].to_pylist() == [*URLS.values(), *PLAIN_URLS]
    cleaned, _ = clean_table(table, CleanParams(pii=("card", "tckn", "ip")))
    assert cleaned["url"].to_pylist() == urls


def test_a_reservation_in_a_page_s_head_outlives_its_markup() -> None:
    """What `clean` strips of a page it keeps as a mark in `meta`, beside what stands there; a text about the mark, and
    a project that strips nothing, keep their text and get no mark."""
    page = '<html><head><meta name="tdm-reservation" content="1"></head><body><p>Metin.</p></body></html>'
    about = 'Put <meta name="robots" content="noai"> into the head of your pages.'
    cleaned, _ = clean_table(documents(page, about), CleanParams())
    assert cleaned["text"][0].as_py() == "Metin."
    assert json.loads(cleaned["meta"][0].as_py())["opt_out"] == ["tdm-reservation: 1"]
    assert "opt_out" not in cleaned["meta"][1].as_py()
    as_it_is, _ = clean_table(documents(page), CleanParams(markup=False))
    assert "opt_out" not in as_it_is["meta"][0].as_py()


def test_a_part_is_the_same_bytes_every_time(tmp_path: Path) -> None:
    """The worker is pure: same part, same digest; and it writes the index that it was given."""
    source = write_part(tmp_path, 0, documents("a \u200b", "0532 123 45 67"))
    parts = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        parts.append(clean_part(CleanTask(tmp_path / source.name, tmp_path / name, 7, CleanParams())))
    assert parts[0] == parts[1]
    assert parts[0].name == "part-00007.parquet"
    assert read_part(tmp_path / "one" / parts[0].name).num_rows == 2


def test_an_empty_part_stays_a_part(tmp_path: Path) -> None:
    """A role without documents is a dataset of no rows."""
    source = write_part(tmp_path, 0, DOCUMENT.empty_table())
    (tmp_path / "out").mkdir()
    part = clean_part(CleanTask(tmp_path / source.name, tmp_path / "out", 0, CleanParams()))
    assert (part.rows, part.counts["documents"]) == (0, 0)
    assert read_part(tmp_path / "out" / part.name).schema.equals(SCHEMA)


def test_a_torn_part_is_named(tmp_path: Path) -> None:
    """A file that is no Parquet is an error that says which."""
    (tmp_path / "part-00000.parquet").write_bytes(b"PAR1 torn")
    with pytest.raises(DataError, match=r"part-00000\.parquet"):
        clean_part(CleanTask(tmp_path / "part-00000.parquet", tmp_path, 0, CleanParams()))


def test_a_wrong_key_or_kind_is_told() -> None:
    """Params name what they do not know."""
    with pytest.raises(ParamsError, match="whitespace"):
        parse("clean", {"whitespaces": True}, CleanParams)
    with pytest.raises(ParamsError, match="pii"):
        parse("clean", {"pii": ["name"]}, CleanParams)


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit", ["a", " ", "1 ", "12345678901 ", "@", "a@", "::", "TÃ¼", "\u200b", "<b ", "+90 (", "[", "1.1."]
)
def test_a_line_of_many_megabytes_comes_to_an_end(unit: str) -> None:
    """Two megabytes without a line end, of whatever a detector looks for: quadratic work would take hours."""
    text = unit * (2_000_000 // len(unit.encode()))
    cleaned, _ = clean_table(documents(text), CleanParams())
    assert cleaned.num_rows == 1
