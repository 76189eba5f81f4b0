"""Token shards: what is written can be trusted, and read by anybody."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from elek.errors import DataError
from elek.shards import TokenShards, write_shard, write_shards_manifest
from elek.vocab.tokenizer import Tokenizer
from tests.vocabulary import documents, prose, texts, tokenizer

TABLES = [prose("en", 5), documents([]), documents(["", "\u2581 <s>\n"], "odd"), prose("tr", 4)]


def write(folder: Path, tables: list[pa.Table] = TABLES, tokens: Tokenizer | None = None) -> TokenShards:
    folder.mkdir(parents=True, exist_ok=True)
    tokens = tokens or tokenizer()
    parts = [
        write_shard(folder, index, table, tokens.encode_documents(table["text"])) for index, table in enumerate(tables)
    ]
    write_shards_manifest(folder, parts, tokens, parent="0" * 64)
    return TokenShards(folder)


def test_the_stream_is_every_document_in_order(tmp_path: Path) -> None:
    """bos, pieces, eos of each document, end to end, with its bytes and its place in the table."""
    shards = write(tmp_path / "shards")
    rows = [row for table in TABLES for row in table.to_pylist()]
    expected = [[1, *tokenizer().encode(row["text"]), 2] for row in rows]
    assert shards.window(0, len(shards)).tolist() == [token for document in expected for token in document]
    for index, (row, tokens, found) in enumerate(zip(rows, expected, shards.documents.to_pylist(), strict=True)):
        assert (found["id"], found["source"], found["lang"]) == (row["id"], row["source"], row["lang"])
        assert found["bytes"] == len(row["text"].encode())
        assert shards.document(index).tolist() == tokens
        assert shards.document_at(found["start"]) == shards.document_at(found["start"] + len(tokens) - 1) == found


@given(data=st.data())
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_windows_cross_shards(tmp_path: Path, data: st.DataObject) -> None:
    """Any window is that slice of the whole stream."""
    folder = tmp_path / "shards"
    shards = TokenShards(folder) if folder.exists() else write(folder)
    start = data.draw(st.integers(0, len(shards)))
    length = data.draw(st.integers(0, len(shards) - start))
    window = shards.window(start, length)
    assert window.dtype == np.uint16
    assert window.tolist() == np.concatenate(shards.arrays)[start : start + length].tolist()


@pytest.mark.parametrize(("start", "length"), [(-1, 2), (0, 10**9), (10**9, 0), (3, -1)])
def test_a_window_beyond_the_stream_is_an_error(tmp_path: Path, start: int, length: int) -> None:
    """Nobody gets fewer tokens than asked for."""
    with pytest.raises(IndexError):
        write(tmp_path / "shards").window(start, length)


def test_tokens_are_mapped_not_copied(tmp_path: Path) -> None:
    """The arrays lie in the memory map: no memory of their own, and nobody can write into them."""
    shards = write(tmp_path / "shards")
    assert not any(array.flags.owndata or array.flags.writeable for array in shards.arrays if len(array))
    assert np.shares_memory(shards.window(3, 5), shards.arrays[0])


@given(batch=st.lists(texts, max_size=5))
@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_can_be_sharded(tmp_path: Path, batch: list[str]) -> None:
    """Decoding a shard's documents gives the texts back."""
    shards = write(tmp_path / "shards", [documents(batch)])
    assert [tokenizer().decode(shards.document(row)) for row in range(len(batch))] == batch


def test_the_same_documents_give_the_same_bytes(tmp_path: Path) -> None:
    """A shard depends on its documents and the vocabulary alone."""
    first, second = write(tmp_path / "one"), write(tmp_path / "two")
    assert first.digest == second.digest
    for path in sorted((tmp_path / "one").iterdir()):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_pyarrow_and_datasets_read_it_without_us(tmp_path: Path) -> None:
    """A plain Arrow file, with the ids as uint16, to whoever opens it."""
    shards = write(tmp_path / "shards")
    files = sorted(str(path) for path in (tmp_path / "shards").glob("*.arrow"))
    tables = [pa.ipc.open_file(file).read_all() for file in files]
    assert tables[0].schema.field("tokens").type == pa.large_list(pa.field("item", pa.uint16(), nullable=False))
    datasets = pytest.importorskip("datasets")
    rows = datasets.load_dataset("arrow", data_files=files, split="train", cache_dir=str(tmp_path / "cache"))
    assert rows["id"] == shards.documents["id"].to_pylist()
    assert [token for row in rows for token in row["tokens"]] == shards.window(0, len(shards)).tolist()


def test_a_large_vocabulary_takes_four_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above 65,535 pieces ids are uint32."""
    large = Tokenizer(tokenizer().model)
    monkeypatch.setattr(large, "size", 70_000)
    shards = write(tmp_path / "shards", tokens=large)
    assert {array.dtype for array in shards.arrays} == {np.dtype(np.uint32)}
    assert shards.document(0).tolist() == [1, *tokenizer().encode(TABLES[0]["text"][0].as_py()), 2]


def _flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def test_a_flipped_bit_is_found(tmp_path: Path) -> None:
    """One bit of one token is enough."""
    write(tmp_path / "shards")
    path = tmp_path / "shards" / "shard-00000.arrow"
    _flip(path, path.stat().st_size // 2)
    with pytest.raises(DataError, match="SHA-256"):
        TokenShards(tmp_path / "shards")


def test_a_truncated_shard_is_found(tmp_path: Path) -> None:
    """Even without reading its bytes."""
    write(tmp_path / "shards")
    path = tmp_path / "shards" / "shard-00003.arrow"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"shard-00003\.arrow"):
        TokenShards(tmp_path / "shards", verify=False)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    """Bytes that are no Arrow file, and Arrow files with other columns, are told apart from shards."""
    shards = write(tmp_path / "shards")
    path = tmp_path / "shards" / "shard-00000.arrow"
    size = path.stat().st_size
    path.write_bytes(b"x" * size)
    with pytest.raises(DataError, match="no Arrow file"):
        TokenShards(tmp_path / "shards", verify=False)
    manifest = json.loads((tmp_path / "shards" / "_manifest.json").read_text(encoding="utf-8"))
    del manifest["tokenizer"]
    (tmp_path / "shards" / "_manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(DataError, match="no vocabulary"):
        TokenShards(shards.folder, verify=False)


def test_another_vocabulary_is_refused(tmp_path: Path) -> None:
    """Shards know the vocabulary that they were made with."""
    shards = write(tmp_path / "shards")
    shards.require(tokenizer())
    with pytest.raises(DataError, match="made with the vocabulary"):
        shards.require(tokenizer("bpe", 600))
