"""Formats of text: a file, a line, an element or a sentence is a document."""

from __future__ import annotations

from pathlib import Path

import pytest

from elek.errors import ParamsError, SourceError
from tests.sources.build import put, read, texts


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.rst", "A.TXT"])
def test_a_text_file_is_a_document(tmp_path: Path, name: str) -> None:
    """Plain text and Markdown come as they are, line ends included."""
    assert texts(put(tmp_path, name, "# Başlık\r\n\r\nmetin\n")) == ["# Başlık\r\n\r\nmetin\n"]


def test_a_very_long_line_is_read(tmp_path: Path) -> None:
    """A hundred megabytes on one line are one document."""
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        file.write(b'{"text": "')
        for _ in range(100):
            file.write(b"word " * 200_000)
        file.write(b'"}\n{"text": "next"}\n')
    assert [len(text) for text in texts(path)] == [100_000_000, 4]


def test_xml_gives_each_element(tmp_path: Path) -> None:
    """The end of the path chooses; nested markup is text; namespaces do not matter."""
    page = '<r xmlns="urn:x"><w><DEF> one <b>bold</b></DEF></w><v><DEF>other</DEF></v><w><DEF>two</DEF></w></r>'
    path = put(tmp_path, "a.xml", page)
    assert texts(path, element="w/DEF") == ["one bold", "two"]
    assert texts(path, element="DEF") == ["one bold", "other", "two"]
    with pytest.raises(SourceError, match="no element `x`"):
        read(path, element="x")
    with pytest.raises(SourceError, match="no well-formed XML"):
        read(put(tmp_path, "b.xml", page[:-10]), element="DEF")
    with pytest.raises(ParamsError, match="needs an `element`"):
        read(path)


def test_an_xml_entity_bomb_does_not_go_off(tmp_path: Path) -> None:
    """Entities that multiply are refused by the parser."""
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    page = f'<!DOCTYPE r [<!ENTITY e0 "{"x" * 1000}">{entities}]><r>&e11;</r>'
    with pytest.raises(SourceError, match="no well-formed XML"):
        read(put(tmp_path, "a.xml", page), element="r")


@pytest.mark.parametrize("encoding", ["shift_jis", "nobody-knows"])
def test_xml_in_an_encoding_that_the_parser_cannot_read(tmp_path: Path, encoding: str) -> None:
    """It is told like XML that is broken."""
    path = put(tmp_path, "a.xml", f'<?xml version="1.0" encoding="{encoding}"?><a><D>x</D></a>')
    with pytest.raises(SourceError, match="encoding"):
        read(path, element="D")


def test_conllu_gives_the_sentences(tmp_path: Path) -> None:
    """Of a treebank only the sentences' own spelling is text."""
    data = "# sent_id = 1\n# text = Kedi uyudu.\n1\tKedi\n\n# text = Köpek de.\n1\tKöpek\n"
    assert texts(put(tmp_path, "a.conllu", data)) == ["Kedi uyudu.", "Köpek de."]
