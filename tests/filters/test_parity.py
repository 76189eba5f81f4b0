"""Decisions and reasons are datatrove's, document by document: real text in both languages, and text made to differ."""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Sequence
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from pydoc_data.topics import topics

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from benchmarks.oracle import SETS, words_of
from benchmarks.parity import compare, ours
from elek.filtering import WordKind
from tests.corpus import document
from tests.kernels import reference
from tests.kernels.strategies import texts

KINDS: tuple[WordKind, ...] = ("whitespace", "unicode")


@cache
def english() -> list[str]:
    """What Python says of itself, and the licences and readmes of installed packages."""
    found = sorted(topics.values())
    for distribution in sorted(distributions(), key=lambda item: str(item.metadata["Name"]).lower())[:30]:
        for file in sorted(distribution.files or [], key=str):
            path = Path(str(distribution.locate_file(file)))
            named = path.name.upper().startswith(("LICENSE", "LICENCE", "COPYING", "NOTICE", "METADATA"))
            if named and path.is_file() and 500 < path.stat().st_size < 20_000:
                found.append(path.read_text(encoding="utf-8", errors="replace"))
    return list(dict.fromkeys(found))


@cache
def turkish() -> list[str]:
    """Questions on history, geography and literature with worked answers, which ship with lm-eval; each alone, and
    all of a subject together. And generated prose, so that there is some in which every sentence is well-formed."""
    spec = importlib.util.find_spec("lm_eval")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "tasks" / "turkishmmlu" / "config_cot"
    found = []
    for path in sorted(folder.glob("*.yaml")):
        whole = str(YAML(typ="safe").load(path.read_text(encoding="utf-8")).get("description", ""))
        found += [whole, *whole.split("\n\n")]
    assert len(found) > 50
    return found + [document("tr", seed, sentences=8 + 6 * seed) for seed in range(20)]


def worn(whole: Sequence[str], seed: int) -> list[str]:
    """Every text again as the web has it: lines repeated, broken, cut short, marked as lists, ended in ellipses."""
    rng, made = random.Random(seed), []  # noqa: S311 - made-up text needs no secret
    for text in whole:
        lines = text.splitlines() or [""]
        how = rng.randrange(6)
        if how == 0:
            lines = lines[: rng.randrange(1, 12)] * rng.randrange(1, 5)
        elif how == 1:
            lines = [f"{rng.choice('-•*#')} {line}" for line in lines]
        elif how == 2:
            lines = [line[: rng.randrange(5, 80)] + rng.choice(["...", "…", ".", ""]) for line in lines]
        elif how == 3:
            lines = " ".join(lines).split(". ")
        elif how == 4:
            words = " ".join(lines).split()
            lines = [" ".join(words[at : at + 9]) for at in range(0, len(words), 7)]
        else:
            lines = [line for line in lines for _ in range(1 + (rng.random() < 0.2))]
        made.append(rng.choice(["\n", "\n\n", "\r\n", "\n", " \n"]).join(lines))
    return made


def assert_same(whole: Sequence[str], langs: Sequence[str], kind: WordKind) -> None:
    for name, found in compare(whole, langs, kind).items():
        assert found.documents == len(whole)
        assert not found.different, (name, kind, [whole[row][:300] for row in found.different[:2]])


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_real_documents_in_both_languages(kind: WordKind) -> None:
    """Every rule set drops the same documents for the same reasons; C4 leaves the same lines of those that stay."""
    first, second = english(), turkish()
    whole = [*first, *second, *worn(first, 1), *worn(second, 2)]
    assert len(whole) > 300
    langs = (["en"] * len(first) + ["tr"] * len(second)) * 2
    assert_same(whole, langs, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_real_documents_are_judged_both_ways(kind: WordKind) -> None:
    """The comparison means something: every rule set keeps some of the Turkish documents and drops others."""
    whole = turkish()
    for name, found in compare(whole, ["tr"] * len(whole), kind).items():
        assert not found.different, name
        assert 0 < found.dropped < len(whole), name


SPACES = (" ", "  ", "\t", "\n", "\n\n", "\n\n\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x1f", "\x85",
          "\u2028", "\u2029", "\xa0", "\u3000", "\u200b", "\ufeff", "\u00ad", "")  # fmt: skip
PIECES = (
    *("the", "be", "to", "of", "and", "that", "have", "with", "ve", "bir", "bu", "için", "çok", "The", "VE", "BİR"),
    *(
        "İstanbul",
        "ıssız",
        "IŞIK",
        "ışık",
        "i̇",
        "ǅ",
        "ß",
        "e\u0301",
        "a\u0308\u0323",
        "\u0301",
        "नमस्ते",
        "日本語",
        "עברית",
    ),
    *(
        "...",
        "…",
        "....",
        ". . .",
        "•",
        "-",
        "- x",
        "* y",
        "#",
        "##",
        "#tag",
        "—",
        "’",
        "'",
        "Ankara’nın",
        "don't",
        "_",
    ),
    *("{", "}", "lorem ipsum", "Lorem Ipsum dolor.", "JavaScript", "javascript.", "[1]", "[edit]", "[citation needed]"),
    *("terms of use.", "Privacy Policy", "uses cookies!", "A line of words.", "Is it so?", 'He said "no"', "ok..."),
    *(
        "x" * 30,
        "y" * 1001,
        "1",
        "12",
        "½",
        "٣",
        "Ⅷ",
        "😀",
        "👩\u200d🚀",
        "\x00",
        "\ufffd",
        "a.b",
        "word",
        "word",
        "word",
    ),
)
chunks = st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from(SPACES)).map("".join), max_size=60).map("".join)


@st.composite
def repeating(draw: st.DrawFn) -> str:
    """Lines, paragraphs and phrases over and over, between words of their own: near every repetition rule."""
    unit, times = draw(chunks), draw(st.integers(1, 8))
    glue = draw(st.sampled_from(["\n", "\n\n", " ", "", "\r\n", "\u2028"]))
    filler = [f"word{number} of its own{number}." for number in range(draw(st.integers(0, 30)))]
    return glue.join([unit] * times + filler + [unit])


@st.composite
def sentences(draw: st.DrawFn) -> str:
    """Lines of plain words with a mark at the end: near C4's and FineWeb's thresholds."""
    endings = st.sampled_from([".", "!", "?", '."', "...", "…", ",", "", ". ", ".\xa0", "。", "؟"])
    starts = st.sampled_from(["", "- ", "• ", "\t", "   ", "-", "•x "])
    count = draw(st.integers(1, 25))
    lines = [
        f"{draw(starts)}The word and that of {draw(st.integers(0, 3)) * 'longer '}line {row // 3}{draw(endings)}"
        for row in range(count)
    ]
    return draw(st.sampled_from(["\n", "\r\n", "\n\n", "\x85", "\n"])).join(lines)


adversarial = st.one_of(texts, chunks, repeating(), sentences())


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=40)
@given(st.lists(adversarial, min_size=1, max_size=6), st.sampled_from(["en", "tr"]))
@example(["."], "tr")
def test_adversarial_text(kind: WordKind, texts: list[str], lang: str) -> None:
    """Bullets, ellipses, every kind of space and line end, repeats, long words, combining and zero-width characters,
    Turkish letters, NUL: the same decisions, reasons and lines."""
    assert_same(texts, [lang] * len(texts), kind)


@settings(deadline=None, max_examples=60)
@given(adversarial)
def test_the_words_that_datatrove_is_given_are_ours(text: str) -> None:
    """The comparison's regular expression finds the words of the written rule, of both kinds."""
    assert words_of(text, "unicode") == reference.words(text, unicode=True)
    assert words_of(text, "whitespace") == reference.words(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("It says lorem ipsum here.\nAnd a { bracket there.", "c4.max_lorem_ipsum"),
        ("And a { bracket there.\nIt says lorem ipsum here.", "c4.max_curly_brackets"),
        ("A { with lorem ipsum it is.", "c4.max_lorem_ipsum"),
        ("Turn javascript { on now.\nIt says lorem ipsum here.\nA { it is.", "c4.max_lorem_ipsum"),
    ],
)
def test_of_two_reasons_the_first_in_the_text_counts(text: str, reason: str) -> None:
    """C4's two rules that drop a document at a line: both are recorded, the earlier line gives the reason."""
    assert ours([text], ["en"], "whitespace", ["c4"])[0]["c4"] == [reason]
    assert_same([text], ["en"], "whitespace")


def test_every_rule_set_is_compared() -> None:
    """The four sets that are published."""
    assert set(SETS) == {"gopher_quality", "gopher_repetition", "fineweb", "c4"}
