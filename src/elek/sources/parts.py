"""Write documents into the parts of a dataset, such that a change of one document changes few parts."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from elek.dataset import DOCUMENT, Part, write_manifest, write_part

ROW_BYTES = 200
"""Bytes that count for each document besides its text and meta. All three together are at most twice `part_bytes`, so
that a part of many short texts stays small in memory."""

LEAST = 0.25
"""Least size of a part as a share of `part_bytes`, unless its source ends or a large document follows."""


class _Held(NamedTuple):
    """A document that is not written yet."""

    document: dict[str, str]
    text: int
    """Bytes of its text."""
    held: int
    """Bytes of text, meta and row together."""
    hash: bytes
    """Hash of its id. A part ends at the smallest hash."""


class PartWriter:
    """Collect documents and write them in parts whose borders depend only on the documents near them.

    A part has documents of one source and between LEAST and 1 times `part_bytes` of text. Of the documents at which it
    could end, it ends at the one with the smallest hash of its id. So a document that is added or removed moves only
    the next few borders, and later ones stay where they were (content-defined chunking by local minima: N. Bjørner et
    al., "Content-dependent chunking for differential compression", 2010). A document larger than `part_bytes` is a part
    of its own.
    """

    def __init__(self, folder: Path, part_bytes: int, row_bytes: int = ROW_BYTES) -> None:
        folder.mkdir(parents=True)
        self.folder, self.part_bytes, self.row_bytes = folder, part_bytes, row_bytes
        self.parts: list[Part] = []
        self._documents: list[_Held] = []
        self._text = self._held = 0

    def add(self, **document: str) -> int:
        """Add one document; returns the bytes of its text."""
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
        """How many of the collected documents make up the next part."""
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
        """Write the remaining documents and the manifest. A dataset without documents has one part without rows."""
        if self._documents or not self.parts:
            self._write(len(self._documents))
        write_manifest(self.folder, self.parts)
