"""Documents → the parts of a dataset, cut so that parts stay the same where their documents do."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from elek.dataset import DOCUMENT, Part, write_manifest, write_part

ROW_BYTES = 200
"""Counted per document beside its text and meta. A part holds at most twice `part_bytes` of all three, so that one of
very short texts stays small in memory too."""

LEAST = 0.25
"""The share of `part_bytes` that a part has at least, unless its source or a large document ends it."""


class _Held(NamedTuple):
    """A document in hand."""

    document: dict[str, str]
    text: int
    """Bytes of its text."""
    held: int
    """Bytes of all of it."""
    hash: bytes
    """Of its id: the smallest one makes the end of a part."""


class PartWriter:
    """Collect documents and write them in parts that stay the same where the documents around them stay the same.

    A part holds documents of one source, and between LEAST and all of `part_bytes` of text. Among the documents that
    it could end with, the one whose id has the smallest hash is its last. So a document that is put in or taken out
    moves only the next few borders; further on they are where they were. (Content-defined chunking by local minima:
    N. Bjørner et al., "Content-dependent chunking for differential compression", 2010.) A document larger than
    `part_bytes` is a part of its own.
    """

    def __init__(self, folder: Path, part_bytes: int, row_bytes: int = ROW_BYTES) -> None:
        folder.mkdir(parents=True)
        self.folder, self.part_bytes, self.row_bytes = folder, part_bytes, row_bytes
        self.parts: list[Part] = []
        self._documents: list[_Held] = []
        self._text = self._held = 0

    def add(self, **document: str) -> int:
        """Take one document and return the bytes of its text."""
        size = len(document["text"].encode())
        digest = hashlib.blake2b(document["id"].encode(), digest_size=8).digest()
        own = _Held(document, size, size + len(document["meta"]) + self.row_bytes, digest)
        if self._documents and self._documents[-1].document["source"] != document["source"]:
            self._write(len(self._documents))
        while self._documents and self._is_full(self._text + size, self._held + own.held):
            self._write(self._border())
        self._documents.append(own)
        self._text += size
        self._held += own.held
        return size

    def _is_full(self, text: int, held: int, share: float = 1.0) -> bool:
        return text > share * self.part_bytes or held > share * 2 * self.part_bytes

    def _border(self) -> int:
        """How many of the collected documents are the next part."""
        text = held = 0
        best, lowest = len(self._documents), None
        for number, own in enumerate(self._documents, 1):
            text, held = text + own.text, held + own.held
            if self._is_full(text, held, LEAST) and (lowest is None or own.hash < lowest):
                best, lowest = number, own.hash
        return best

    def _write(self, count: int) -> None:
        own, self._documents = self._documents[:count], self._documents[count:]
        columns = {name: [held.document[name] for held in own] for name in DOCUMENT.names}
        text = sum(held.text for held in own)
        table = pa.Table.from_pydict(columns, schema=DOCUMENT)
        self.parts.append(write_part(self.folder, len(self.parts), table, {"text_bytes": text}))
        self._text -= text
        self._held -= sum(held.held for held in own)

    def close(self) -> None:
        """Write what is left and the manifest; a dataset without documents is one part of no rows."""
        if self._documents or not self.parts:
            self._write(len(self._documents))
        write_manifest(self.folder, self.parts)
