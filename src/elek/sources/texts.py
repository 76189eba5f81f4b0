"""Readers for text: a document is a file, a line, an XML element, or a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree

from elek.dataset import LICENCE_LINKS, OPT_OUT
from elek.errors import SourceError
from elek.sources.decoding import Unreadable, decode, decode_line, lines, open_binary, read_all
from elek.sources.files import File
from elek.sources.html import read_page
from elek.sources.params import FileOptions
from elek.sources.records import Events, Record, Skip, encoding_meta, valid_unicode
from elek.text.markup import reservations


def read_text(file: File, source: FileOptions) -> Events:
    text, encoding = decode(read_all(file), source.encodings)
    yield Record(file.name, text, meta=encoding_meta(encoding))


def read_html(file: File, source: FileOptions) -> Events:
    page, encoding = decode(read_all(file), source.encodings, html=True)
    read = read_page(page)
    rights = {OPT_OUT: reservations(page), LICENCE_LINKS: read.licences}
    meta = encoding_meta(encoding) | {key: marks for key, marks in rights.items() if marks}
    yield Record(file.name, read.text, title=read.title, meta=meta)


def decoded_lines(file: File, source: FileOptions) -> Iterator[tuple[int, str, str] | Skip]:
    """Lines that are not blank, as number, text and encoding."""
    for number, raw in lines(file):
        try:
            line, encoding = decode_line(raw, source.encodings)
        except Unreadable as reason:
            yield Skip(file.name, number, str(reason))
            continue
        if line.strip():
            yield number, line, encoding


def read_lines(file: File, source: FileOptions) -> Events:
    for item in decoded_lines(file, source):
        yield item if isinstance(item, Skip) else Record(file.name, item[1], item[0], meta=encoding_meta(item[2]))


def read_conllu(file: File, source: FileOptions) -> Events:
    # https://universaldependencies.org/format.html: the comment `# text = …` has the original spelling of a sentence.
    row = 0
    for item in decoded_lines(file, source):
        if isinstance(item, Skip):
            yield item
        elif item[1].startswith("# text ="):
            row += 1
            yield Record(file.name, item[1].removeprefix("# text =").strip(), row, meta=encoding_meta(item[2]))


def read_xml(file: File, source: FileOptions) -> Events:
    wanted = (source.element or "").split("/")
    path: list[ElementTree.Element] = []
    tags: list[str] = []
    row = inside = 0
    try:
        with open_binary(file) as stream:
            for event, element in ElementTree.iterparse(stream, events=("start", "end")):  # noqa: S314
                if event == "start":
                    path.append(element)
                    tags.append(element.tag.rpartition("}")[2])
                    inside += tags[-len(wanted) :] == wanted
                    continue
                if tags[-len(wanted) :] == wanted:
                    inside -= 1
                    row += 1
                    text, replaced = valid_unicode("".join(element.itertext()).strip())
                    yield Record(file.name, text, row, meta={"replaced_surrogates": replaced} if replaced else {})
                path.pop()
                tags.pop()
                if path and not inside:
                    path[-1].remove(element)  # frees the memory of an element that was read
    except (
        ElementTree.ParseError,
        LookupError,
        ValueError,
    ) as error:  # the last two: an encoding that expat cannot read
        raise SourceError(f"no well-formed XML: {error}", where=file.name) from None
    if row == 0:
        raise SourceError(f"there is no element `{source.element}`", where=file.name, fix="see `element` in params")
