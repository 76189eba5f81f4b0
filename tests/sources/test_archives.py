"""Wheels and sdists as hostile archives."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from elek.errors import SourceError
from elek.sources.archives import extract
from elek.sources.files import File
from tests.sources.build import sdist, wheel


def names(files: list[File]) -> list[str]:
    return [file.name for file in files]


def everything(_: str) -> bool:
    return True


def test_only_what_is_wanted_is_written_sorted(tmp_path: Path) -> None:
    """Members that nobody asked for stay in the archive; an sdist's first folder is taken off."""
    into = tmp_path / "into"
    into.mkdir()
    archive = sdist(tmp_path, {"docs/b.txt": b"bee", "docs/a.txt": b"ay", "setup.py": b"raise SystemExit"})
    files, refused, others = extract(archive, into, lambda name: name.endswith(".txt"), strip_root=True)
    assert names(files) == ["docs/a.txt", "docs/b.txt"]
    assert [file.path.read_bytes() for file in files] == [b"ay", b"bee"]
    assert (refused, others) == ([], ["setup.py"])
    assert len(list(into.iterdir())) == 2


def test_a_member_whose_name_is_no_utf8_is_read_under_a_name_that_is(tmp_path: Path) -> None:
    """Its bytes are written out, so that the name fits into a file of ours."""
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w", errors="surrogateescape") as tarred:
        info = tarfile.TarInfo("docs/a\udcff.txt")
        info.size = 2
        tarred.addfile(info, io.BytesIO(b"ay"))
    files, refused, _ = extract(archive, tmp_path, everything, strip_root=False)
    assert (names(files), refused) == (["docs/a\\xff.txt"], [])


def test_a_wheel_whose_names_cannot_be_read_is_damaged(tmp_path: Path) -> None:
    """A flag says UTF-8 and the bytes do not."""
    archive = tmp_path / "a.whl"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("aé.txt", b"x")
    archive.write_bytes(archive.read_bytes().replace("é".encode(), b"\xff\xfe"))
    with pytest.raises(SourceError, match="damaged"):
        extract(archive, tmp_path, everything, strip_root=False)


def test_a_wheel_whose_directory_points_before_its_beginning_is_damaged(tmp_path: Path) -> None:
    """The system calls that an invalid argument, as if it were the disk's fault."""
    archive = tmp_path / "a.whl"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("a.txt", b"x")
    raw = bytearray(archive.read_bytes())
    place = raw.rindex(b"PK\x05\x06") + 16
    raw[place : place + 4] = (int.from_bytes(raw[place : place + 4], "little") + 1000).to_bytes(4, "little")
    archive.write_bytes(raw)
    with pytest.raises(SourceError, match="damaged"):
        extract(archive, tmp_path, everything, strip_root=False)


@pytest.mark.parametrize(
    "name", ["../../evil.txt", "/etc/evil.txt", "a/../../evil.txt", "C:/evil.txt", "a\\..\\evil.txt", "."]
)
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_no_member_chooses_where_it_lands(tmp_path: Path, name: str, kind: str) -> None:
    """A path that leads out of the folder is refused and recorded, and nothing is written."""
    into = tmp_path / "deep" / "into"
    into.mkdir(parents=True)
    if kind == "zip":
        archive = tmp_path / "a.whl"
        with zipfile.ZipFile(archive, "w") as zipped:
            info = zipfile.ZipInfo("x")
            info.filename = name
            zipped.writestr(info, b"evil")
    else:
        archive = tmp_path / "a.tar.gz"
        with tarfile.open(archive, "w:gz") as tarred:
            info_tar = tarfile.TarInfo(name)
            info_tar.size = 4
            tarred.addfile(info_tar, io.BytesIO(b"evil"))
    files, refused, _ = extract(archive, into, everything, strip_root=False)
    assert files == []
    assert "unsafe path" in refused[0].reason
    assert sorted(path.name for path in tmp_path.rglob("*")) == sorted([archive.name, "deep", "into"])


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_special_files_are_refused(tmp_path: Path, kind: bytes) -> None:
    """A link is never followed; it is recorded instead."""
    archive = tmp_path / "a.tar.gz"
    with tarfile.open(archive, "w:gz") as tarred:
        info = tarfile.TarInfo("a.txt")
        info.type, info.linkname = kind, "/etc/passwd"
        tarred.addfile(info)
    files, refused, _ = extract(archive, tmp_path, everything, strip_root=False)
    assert files == []
    assert "link" in refused[0].reason


def test_a_symbolic_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    """A zip keeps links as files with a mode; they are not read as text."""
    archive = tmp_path / "a.whl"
    with zipfile.ZipFile(archive, "w") as zipped:
        info = zipfile.ZipInfo("a.txt")
        info.external_attr = 0o120777 << 16
        zipped.writestr(info, "/etc/passwd")
    files, refused, _ = extract(archive, tmp_path, everything, strip_root=False)
    assert (files, len(refused)) == ([], 1)


@pytest.mark.parametrize("build", [wheel, sdist])
def test_a_bomb_is_stopped(tmp_path: Path, build: object) -> None:
    """What comes out is counted, whatever the archive declares."""
    assert callable(build)
    archive = build(tmp_path, {"zeros.txt": bytes(3_000_000)})
    with pytest.raises(SourceError, match="more than 1,000,000 bytes"):
        extract(archive, tmp_path, everything, strip_root=False, limit=1_000_000)


@pytest.mark.parametrize("build", [wheel, sdist])
@pytest.mark.parametrize("cut", [0.3, 0.9])
def test_a_damaged_archive_is_an_error(tmp_path: Path, build: object, cut: float) -> None:
    """Half an archive is not taken for a small one."""
    assert callable(build)
    archive = build(tmp_path, {f"{n}.txt": bytes(range(256)) * n for n in range(1, 40)})
    data = archive.read_bytes()
    archive.write_bytes(data[: int(len(data) * cut)])
    with pytest.raises(SourceError, match="damaged"):
        extract(archive, tmp_path, everything, strip_root=False)
