"""Shares of languages in mixed pages."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.language import identify, segments
from elek.language.segments import Shares, shares
from tests.corpus import document

ENGLISH = "The children were playing in the garden when it began to rain, and all of them ran to the house.\n"
TURKISH = "Çocuklar bahçede oynarken yağmur başladı ve herkes eve koştu, çünkü hava çok soğuktu.\n"
GERMAN = "Die Kinder spielten im Garten, als es zu regnen begann und alle nach Hause liefen.\n"
RUSSIAN = "Дети играли в саду, когда начался дождь, и все побежали домой под крышу.\n"
CODE = "for (int i = 0; i < n; ++i) { sum += values[i] * weights[i]; }\nreturn sum / total_weight;\n"


def measure(texts: list[str]) -> Shares:
    column = pa.array(texts, pa.large_string())
    labels, scores = identify(column)
    return shares(column, labels.to_pylist(), scores.to_numpy())


@pytest.mark.parametrize(
    ("text", "label", "second", "share"),
    [
        (ENGLISH * 10 + TURKISH * 20, "tr", "en", 0.65),
        (ENGLISH * 20 + TURKISH * 10, "en", "tr", 0.7),
        (TURKISH * 25 + ENGLISH * 8, "tr", "en", 0.74),
        (ENGLISH * 20 + GERMAN * 10, "en", "de", 0.7),
        (RUSSIAN * 8 + ENGLISH * 20, "en", "ru", 0.75),
        ((ENGLISH * 14 + TURKISH * 7) * 19, "en", "tr", 0.68),
    ],
)
def test_a_mixed_page_has_two_languages(text: str, label: str, second: str, share: float) -> None:
    """The language of most letters, wherever on the page it stands, its share, and which comes second."""
    found = measure([text])
    assert (found.label, found.second) == ([label], [second])
    assert found.share[0] == pytest.approx(share, abs=0.12)
    assert found.share[0] + found.second_share[0] == pytest.approx(1, abs=0.05)
    assert 0.5 < found.probability[0] <= 1


def test_a_page_in_one_language_asks_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prose in English or Turkish, short texts and empty ones never reach the identifier again."""
    texts = [ENGLISH * 50, TURKISH * 50, document("en", 3, 200), document("tr", 3, 200), "", "Merhaba", ENGLISH]
    before = identify(texts)

    def refuse(*_: object) -> None:
        raise AssertionError("asked")

    monkeypatch.setattr(segments, "identify", refuse)
    found = shares(pa.array(texts, pa.large_string()), before[0].to_pylist(), before[1].to_numpy())
    assert found.label == before[0].to_pylist()
    assert found.share.tolist() == [1.0] * len(texts)
    assert found.second == [""] * len(texts)
    assert found.probability.tolist() == before[1].to_pylist()


def test_code_and_tables_are_no_second_language() -> None:
    """Blocks that the identifier knows nothing of belong to the page's language."""
    found = measure([ENGLISH * 12 + CODE * 12 + ENGLISH * 12, TURKISH * 12 + "1.234 5.678 9.012\n" * 60])
    assert found.label == ["en", "tr"]
    assert (found.share > 0.6).all()


def test_only_so_many_blocks_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A megabyte of mixed text costs a bounded number of questions, each of bounded length."""
    asked: list[str] = []

    def listen(texts: list[str]) -> tuple[pa.Array, pa.Array]:
        asked.extend(texts)
        return identify(texts)

    monkeypatch.setattr(segments, "identify", listen)
    text = (GERMAN * 20 + RUSSIAN * 20) * 311
    shares(pa.array([text], pa.large_string()), ["de"], np.array([0.9], np.float32))
    assert 1 < len(asked) <= segments.BLOCKS
    assert max(map(len, asked)) <= segments.READ


def test_a_line_without_end_is_safe() -> None:
    """Megabytes without a space or a line end, in one script or two, are cut like others."""
    found = measure(["x" * 3_000_000, "я" * 1_000_000 + "abc" * 1_000_000, "漢" * 500_000])
    assert (found.share > 0).all()


TEXTS = st.lists(
    st.sampled_from([ENGLISH * 8, TURKISH * 8, GERMAN * 8, RUSSIAN * 8, CODE, "漢字かな" * 90, "🙂" * 300, "\n" * 50])
    | st.text(max_size=80),
    max_size=6,
).map("".join)


@settings(deadline=None, max_examples=40)
@given(st.lists(TEXTS, max_size=4))
def test_rows_do_not_depend_on_their_neighbours(texts: list[str]) -> None:
    """Any text is safe; a row measures the same alone; shares are shares."""
    texts = [text.encode("utf-8", "ignore").decode() for text in texts]
    together = measure(texts)
    for row, text in enumerate(texts):
        alone = measure([text])
        assert (alone.label[0], alone.second[0]) == (together.label[row], together.second[row])
        assert (alone.share[0], alone.second_share[0]) == (together.share[row], together.second_share[row])
        assert 0 <= together.second_share[row] <= together.share[row] <= 1
        assert together.share[row] + together.second_share[row] <= 1 + 1e-6
