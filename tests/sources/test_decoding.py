"""Bytes to text without a silent loss."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.sources import decoding
from elek.sources.decoding import Unreadable, check_whole, decode, open_binary, web_encoding
from elek.sources.files import File
from tests.sources.build import put, read

TURKISH = "Işık ılık süt içti; ğ, ş ve İ de var."


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_decides(encoding: str) -> None:
    """A file that says what it is needs no option; the mark is not part of the text."""
    text, found = decode(TURKISH.encode(encoding), ["utf-8"])
    assert text == TURKISH
    assert found == encoding.removesuffix("-sig")


def test_encodings_are_tried_in_order_and_recorded(tmp_path: Path) -> None:
    """A Turkish file of the nineties is read when params say so, and its document says which encoding it was."""
    old = put(tmp_path, "old.txt", TURKISH.encode("windows-1254"))
    new = put(tmp_path, "new.txt", TURKISH)
    options = {"encodings": ["utf-8", "windows-1254"]}
    assert [r.text for r in read(old, **options)[0]] == [TURKISH]
    assert read(old, **options)[0][0].meta == {"encoding": "cp1254"}
    assert read(new, **options)[0][0].meta == {}


def test_nothing_is_guessed(tmp_path: Path) -> None:
    """Broken UTF-8 skips the file, with the byte, the line and the option that would help."""
    records, skipped = read(put(tmp_path, "old.txt", b"ab\ncd" + "ğ".encode("windows-1254")))
    assert records == []
    assert skipped[0].file == "old.txt"
    assert "not UTF-8: byte 0xf0 at 5 in line 2" in skipped[0].reason
    assert "`encodings`" in skipped[0].reason


def test_a_page_may_name_its_encoding() -> None:
    """HTML that declares iso-8859-9 is read as browsers read it; a made-up charset is not believed."""
    page = f'<html><head><meta charset="iso-8859-9"></head><body>{TURKISH}</body></html>'
    assert decode(page.encode("windows-1254"), ["utf-8"], html=True) == (page, "cp1254")
    for name in (b"klingon", b"undefined", b"punycode", b"unicode_escape", b"rot13", b"utf-7"):
        with pytest.raises(Unreadable):
            decode(b'<meta charset="' + name + b'">\xff', ["utf-8"], html=True)


def test_labels_of_the_web() -> None:
    """What browsers know is known under their meaning, and nothing else that Python could decode."""
    assert [web_encoding(label) for label in ("latin5", " ISO-8859-1", "x-sjis", "gb2312", "UTF8", "tis-620")] == (
        ["cp1254", "cp1252", "cp932", "gb18030", "utf-8", "cp874"]
    )
    assert [web_encoding(label) for label in ("idna", "hex", "", "a\0b", "x" * 999, "../x")] == [None] * 6


def test_a_line_that_is_broken_is_skipped_alone(tmp_path: Path) -> None:
    """In a format of lines one bad byte costs one line, which is recorded with its number."""
    records, skipped = read(put(tmp_path, "a.txt", b"one\ntw\xff\n\nthree"), format="lines")
    assert [(r.text, r.row) for r in records] == [("one", 1), ("three", 4)]
    assert [(s.line, s.reason.split(" (")[0]) for s in skipped] == [(2, "not UTF-8: byte 0xff at 2")]


def test_utf16_lines_are_refused_whole(tmp_path: Path) -> None:
    """UTF-16 cannot be cut into lines by bytes: the file is skipped with the remedy."""
    records, skipped = read(put(tmp_path, "a.jsonl", '{"text": "x"}\n'.encode("utf-16")))
    assert records == []
    assert "save it as UTF-8" in skipped[0].reason


def compress(kind: str, data: bytes) -> bytes:
    return (
        gzip.compress(data, mtime=0) if kind == ".gz" else zstandard.ZstdCompressor(write_checksum=True).compress(data)
    )


@pytest.mark.parametrize("kind", [".gz", ".zst"])
@given(blocks=st.lists(st.binary(max_size=2000), max_size=4), cut=st.integers(0, 10_000))
@settings(deadline=None, max_examples=60)
def test_a_torn_file_is_always_noticed(
    kind: str, blocks: list[bytes], cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Compressed files of any number of frames are read whole; cut anywhere but between frames, they are refused."""
    folder = tmp_path_factory.mktemp("torn")
    frames = [compress(kind, block) for block in blocks]
    whole = b"".join(frames)
    file = File(f"a{kind}", put(folder, f"a{kind}", whole))
    check_whole(file)
    with open_binary(file) as stream:
        assert stream.read() == b"".join(blocks)
    ends = {0} | {sum(map(len, frames[: n + 1])) for n in range(len(frames))}
    cut %= max(1, len(whole))
    if cut not in ends:
        file.path.write_bytes(whole[:cut])
        with pytest.raises(Unreadable):
            check_whole(file)


@pytest.mark.parametrize("kind", [".gz", ".zst"])
def test_of_a_torn_file_nothing_is_taken(tmp_path: Path, kind: str) -> None:
    """Not even the lines before the tear get in, and the file is recorded."""
    data = compress(kind, b"\n".join(b'{"text": "line %d"}' % n for n in range(20_000)))
    records, skipped = read(put(tmp_path, f"a.jsonl{kind}", data[:-20]))
    assert records == []
    assert "cut off" in skipped[0].reason
    records, skipped = read(put(tmp_path, f"b.jsonl{kind}", data))
    assert (len(records), skipped) == (20_000, [])


@pytest.mark.parametrize("kind", [".gz", ".zst"])
def test_a_damaged_file_is_refused(tmp_path: Path, kind: str) -> None:
    """A flipped byte in the middle, and a file that is no such archive at all, are recorded."""
    data = bytearray(compress(kind, bytes(range(256)) * 400))
    data[len(data) // 2] ^= 0xFF
    assert "damaged" in read(put(tmp_path, f"a.txt{kind}", bytes(data)))[1][0].reason
    for plain in (b"this is plain text", b'{"text": "plain"}\n' * 9):
        assert "damaged" in read(put(tmp_path, f"b.txt{kind}", plain))[1][0].reason


def test_a_long_window_is_read(tmp_path: Path) -> None:
    """As `zstd --long=31` writes it, which large public dumps come in."""
    long = zstandard.ZstdCompressionParameters.from_level(1, window_log=31)
    packed = zstandard.ZstdCompressor(compression_params=long).compressobj()
    records, skipped = read(put(tmp_path, "a.txt.zst", packed.compress(b"text") + packed.flush()))
    assert ([record.text for record in records], skipped) == (["text"], [])


def test_a_skippable_frame_is_skipped(tmp_path: Path) -> None:
    """Zstandard frames that hold no data (seek tables) are passed over."""
    data = compress(".zst", b"one") + (0x184D2A50).to_bytes(4, "little") + (5).to_bytes(4, "little") + b"12345"
    records, skipped = read(put(tmp_path, "a.txt.zst", data))
    assert ([r.text for r in records], skipped) == (["one"], [])


def test_what_is_too_large_is_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line or a file beyond the bound is recorded, and the lines after it are read."""
    monkeypatch.setattr(decoding, "MAX_TEXT", 100)
    records, skipped = read(put(tmp_path, "a.txt", "x" * 500 + "\nshort\n"), format="lines")
    assert [r.text for r in records] == ["short"]
    assert (skipped[0].line, "more than 100 bytes" in skipped[0].reason) == (1, True)
    assert "larger than 100 bytes" in read(put(tmp_path, "b.txt", "x" * 500))[1][0].reason
