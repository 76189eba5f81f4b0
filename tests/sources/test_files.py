"""Globs: the same files in the same order on every system."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.errors import SourceError
from elek.sources.files import File, find_files, fixed_part, matches, plain_name
from tests.sources.build import put


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("a/*.txt", "a/b.txt", True),
        ("a/*.txt", "a/b/c.txt", False),
        ("a/**/*.txt", "a/b.txt", True),
        ("a/**/*.txt", "a/b/c/d.txt", True),
        ("**/*.txt", "b.txt", True),
        ("a/**", "a/b/c.md", True),
        ("a/**", "a", False),
        ("a/?.txt", "a/ü.txt", True),
        ("a/[bc].txt", "a/c.txt", True),
        ("a/[!bc].txt", "a/c.txt", False),
        ("a/[a-c].txt", "a/b.txt", True),
        ("a/[x", "a/[x", True),
        ("a/b+(1).txt", "a/b+(1).txt", True),
        ("a/*.txt", "a/.hidden.txt", False),
        ("a/.*.txt", "a/.hidden.txt", True),
        ("a/**/*.txt", "a/.git/b.txt", False),
        ("A/*.txt", "a/b.txt", False),
    ],
)
def test_globs(pattern: str, name: str, fits: bool) -> None:
    """`*` stays within a folder, `**` does not, hidden files need their dot, and case counts."""
    assert matches(name, [pattern]) is fits


@given(
    st.lists(st.text(st.characters(blacklist_characters="/*?[].", blacklist_categories=["Cs"]), min_size=1), min_size=1)
)
@settings(deadline=None, max_examples=60)
def test_a_name_without_signs_matches_itself(parts: list[str]) -> None:
    """Whatever a file is called, its own name is a pattern for it, and `**/*` finds it too."""
    name = "/".join(parts)
    assert matches(name, [name])
    assert matches(name, ["**/*"])


def test_files_are_sorted_by_name_and_listed_once(tmp_path: Path) -> None:
    """The order is that of the posix names, and two patterns give a file once."""
    for name in ("b.txt", "a/z.txt", "a.txt", "a-b.txt"):
        put(tmp_path, f"data/{name}", "x")
    found = find_files(tmp_path, ["data/**/*.txt", "data/a.txt"], ["data/b.*"])
    assert [file.name for file in found] == ["data/a-b.txt", "data/a.txt", "data/a/z.txt"]
    assert found[0] == File("data/a-b.txt", tmp_path / "data" / "a-b.txt")


def test_what_is_no_unicode_in_a_name_is_written_out() -> None:
    """A byte of Linux and half a character of Windows; other names stay as they are."""
    assert plain_name("ü\udcff") == "ü\\xff"
    assert plain_name("ü\ud800") == "ü\\xed\\xa0\\x80"
    assert plain_name("ü/a b.txt") == "ü/a b.txt"


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names are Unicode there")
def test_names_that_are_no_utf8_are_written_out(tmp_path: Path) -> None:
    """Two names that differ in such bytes alone are two names, and both can be written to a file."""
    for name in (b"a\xff.txt", b"a\xfe.txt"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(name)
    found = find_files(tmp_path, ["*.txt"])
    assert [file.name for file in found] == ["a\\xfe.txt", "a\\xff.txt"]
    assert [file.path.read_bytes() for file in found] == [b"a\xfe.txt", b"a\xff.txt"]
    assert [file.name for file in find_files(tmp_path, ["*.txt"], ["*xff*"])] == ["a\\xfe.txt"]


def test_a_folder_that_cannot_be_listed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files would be missing without a word."""
    put(tmp_path, "data/a.txt", "x")
    put(tmp_path, "data/locked/b.txt", "x")
    listed = os.scandir

    def scandir(path: str) -> object:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", path)
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(SourceError, match="Permission denied") as caught:
        find_files(tmp_path, ["data/**/*.txt"])
    assert caught.value.where == "data/locked"


def test_no_match_names_what_is_near(tmp_path: Path) -> None:
    """A pattern that fits nothing is an error with the nearest files that exist."""
    put(tmp_path, "data/letters.txt", "x")
    with pytest.raises(SourceError, match=r"no file matches `data/leters\.txt`") as caught:
        find_files(tmp_path, ["data/leters.txt"])
    assert "data/letters.txt" in str(caught.value) or "no files at all" in str(caught.value)
    with pytest.raises(SourceError, match=r"data/letters\.txt"):
        find_files(tmp_path, ["data/*.text"])
    with pytest.raises(SourceError, match="no files at all"):
        find_files(tmp_path, ["nowhere/*"])


@pytest.mark.parametrize(
    ("pattern", "fixed"), [("data/raw/**/*.txt", "data/raw"), ("data/a.txt", "data/a.txt"), ("*.txt", ""), ("a?/b", "")]
)
def test_the_fixed_part_of_a_pattern(pattern: str, fixed: str) -> None:
    """The folder that everything matching lies under, which is what DVC must watch."""
    assert fixed_part(pattern) == fixed
