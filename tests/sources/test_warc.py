"""Where records begin and end, and what is said of a file in which that cannot be told."""

from __future__ import annotations

import gzip
import io
import re
import tracemalloc
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.sources import warc
from elek.sources.decoding import Unreadable
from elek.sources.files import File
from elek.sources.warc import GzipMembers, read_records
from tests.sources.build import put, read
from tests.sources.crawl import members, record

THREE = [record("resource", f"text {n}".encode(), number=n) for n in (1, 2, 3)]


def blocks(path: Path) -> list[bytes]:
    return [b"".join(one.chunks()) for one in read_records(File(path.name, path))]


def refused(path: Path) -> str:
    with pytest.raises(Unreadable) as caught:
        blocks(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.warc", b"".join(THREE)),
        ("a.warc.gz", members(THREE)),
        ("a.warc.gz", gzip.compress(b"".join(THREE), mtime=0)),
        ("a.warc.gz", members(THREE) + bytes(700)),
        ("a.warc.gz", members([b"".join(THREE)[:100], b"", b"".join(THREE)[100:]])),
        ("a.warc.zst", b"".join(zstandard.compress(one) for one in THREE)),
        ("a.warc", b"".join(THREE).replace(b"WARC/1.0", b"WARC/1.1")),
        ("a.warc", b"".join(THREE).replace(b"\r\n", b"\n")),
        ("a.warc", b"".join(THREE).rstrip()),
        ("a.warc", b"".join(THREE).replace(b"Content-Length: ", b"content-length:\r\n\t")),
    ],
)
def test_records_are_found(tmp_path: Path, name: str, data: bytes) -> None:
    """Compressed by record, as a whole or across records; LF for CRLF, folded fields and padding do no harm."""
    assert blocks(put(tmp_path, name, data)) == [b"text 1", b"text 2", b"text 3"]


@given(st.lists(st.binary(max_size=300) | st.just(THREE[0]), min_size=1, max_size=5), st.data())
@settings(deadline=None, max_examples=60)
def test_what_was_written_is_read_and_what_was_cut_is_told(
    tmp_path_factory: pytest.TempPathFactory, written: list[bytes], data: st.DataObject
) -> None:
    """Any block comes back, another WARC file too; cut anywhere but between records the file is refused."""
    folder = tmp_path_factory.mktemp("warc")
    records = [record("resource", block) for block in written]
    for name, parts in (("a.warc", records), ("a.warc.gz", [members([one]) for one in records])):
        whole = b"".join(parts)
        assert blocks(put(folder, name, whole)) == written
        cut = data.draw(st.integers(1, len(whole) - 1))
        ends = [sum(map(len, parts[: n + 1])) for n in range(len(parts))]
        harmless = {end - tail for end in ends for tail in range(5 if name == "a.warc" else 1)}
        if cut not in harmless:
            assert "cut off" in refused(put(folder, name, whole[:cut]))


def test_the_place_of_a_torn_member_is_told(tmp_path: Path) -> None:
    """The error names the byte at which the member begins, as an index would, and not one page gets in."""
    packed = members(THREE)
    last = len(members(THREE[:2]))
    assert refused(put(tmp_path, "a.warc.gz", packed[:-9])) == f"the gzip member at byte {last:,} is cut off"
    damaged = bytearray(packed)
    damaged[last - 6] ^= 0xFF  # in the checksum of the second
    second = len(members(THREE[:1]))
    assert f"the gzip member at byte {second:,} is damaged" in refused(put(tmp_path, "b.warc.gz", bytes(damaged)))
    assert refused(put(tmp_path, "c.warc.gz", packed + b"junk")) == f"no gzip member begins at byte {len(packed):,}"
    records, skipped = read(tmp_path / "a.warc.gz")
    assert (records, [skip.line for skip in skipped]) == ([], [None])


@pytest.mark.parametrize(
    ("length", "reason"),
    [
        ("4", r"record 2 \(at byte \d+\) is no WARC record, or record 1 is not as long"),
        ("60", "record 2 .* is no WARC record"),
        ("99999999999", "is cut off: "),
        ("12.5", "record 1 .* no Content-Length"),
        ("-1", "no Content-Length"),
        ("", "no Content-Length"),
        ("9" * 5000, "no Content-Length"),
    ],
)
def test_a_wrong_length_is_told_with_its_record(tmp_path: Path, length: str, reason: str) -> None:
    """Too short, too long, beyond the file, or no number: nobody knows where the next record begins."""
    data = record("resource", b"some text", Content_Length=length) + THREE[1]
    found = refused(put(tmp_path, "a.warc", data))
    assert re.search(reason, found), found


def test_what_is_no_warc_is_refused(tmp_path: Path) -> None:
    """Other text, an empty file, one of no record, and fields without end."""
    assert "is no WARC record" in refused(put(tmp_path, "a.warc", "plain text\n"))
    assert [skip.reason for skip in read(put(tmp_path, "b.warc", b""))[1]] == ["the file is empty"]
    for name, data in (("c.warc.gz", gzip.compress(b"", mtime=0)), ("d.warc", b"\r\n")):
        assert [skip.reason for skip in read(put(tmp_path, name, data))[1]] == ["the file holds no record"]
    endless = b"WARC/1.0\r\n" + b"a: b\r\n" * 300_000
    assert "bytes of fields" in refused(put(tmp_path, "e.warc", endless))


def test_a_dictionary_is_refused_and_a_torn_zst_too(tmp_path: Path) -> None:
    """WARC.zst with a dictionary says what to do; a frame that breaks off is noticed."""
    frame = (0x184D2A5D).to_bytes(4, "little") + (3).to_bytes(4, "little") + b"abc"
    assert "dictionary" in refused(put(tmp_path, "a.warc.zst", frame + zstandard.compress(THREE[0])))
    assert "cut off" in refused(put(tmp_path, "b.warc.zst", zstandard.compress(THREE[0] * 9)[:-4]))


def test_empty_members_take_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Members that hold nothing or an empty line, however many, leave nothing behind; places stay right."""
    monkeypatch.setattr(warc, "READ_AHEAD", 50)
    tiny = (gzip.compress(b"", mtime=0) + gzip.compress(b"\n", mtime=0)) * 300
    end = gzip.compress(b"end\n", mtime=0)
    data = members(THREE[:1]) + tiny + members(THREE[1:2]) + tiny + end
    found = refused(put(tmp_path, "a.warc.gz", data))
    assert f"record 3 (in the gzip member at byte {len(data) - len(end):,}) is no WARC record" in found
    stream = GzipMembers(io.BytesIO(tiny))
    while stream.read(1):
        pass
    assert len(stream._starts) <= 2 * 50


def test_a_large_block_takes_no_memory(tmp_path: Path) -> None:
    """A record of a hundred megabytes that unpacks from a few kilobytes is passed over in pieces."""
    bomb = gzip.compress(record("response", bytes(100_000_000)), 1)
    path = put(tmp_path, "a.warc.gz", bomb + members(THREE[1:]))
    tracemalloc.start()
    numbers = [one.number for one in read_records(File(path.name, path))]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert numbers == [1, 2, 3]
    assert peak < 20_000_000
