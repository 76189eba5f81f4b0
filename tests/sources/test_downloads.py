"""Package files: found as pip would find them, pinned, cached, and never run."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from elek.errors import SourceError
from elek.sources import downloads
from elek.sources.downloads import download, pip_configuration
from elek.sources.params import PackageSource
from tests.sources.build import digest, package, sdist, use_folder_as_index, wheel

pytestmark = pytest.mark.filterwarnings("error")


def source(path: Path, **options: str) -> PackageSource:
    return PackageSource.model_validate(package(path, **options))


class Index:
    """A package index on loopback that can be told to misbehave."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.hashes = True
        self.failures: list[int] = []
        """Statuses to answer with before behaving; -1 breaks off in the middle."""
        self.asked: list[str] = []
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                index.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/simple"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append(request.path)
        data, kind = b"no", "text/plain"
        status = self.failures.pop(0) if self.failures else 200
        if request.path.rstrip("/") == "/simple/texts":
            marks = {name: f"#sha256={_sha(content)}" if self.hashes else "" for name, content in self.files.items()}
            data = "".join(f'<a href="/files/{name}{mark}">{name}</a>' for name, mark in marks.items()).encode()
            kind = "text/html"
        elif request.path.startswith("/files/"):
            data, kind = self.files[request.path.rpartition("/")[2]], "application/octet-stream"
        elif status == 200:
            status = 404
        request.send_response(200 if status < 0 else status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data[: len(data) // 2] if status < 0 else data)


def _sha(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    monkeypatch.setattr(downloads.time, "sleep", lambda _: None)
    built = [wheel(tmp_path, {"a.txt": b"text"}), sdist(tmp_path, {"a.txt": b"text"})]
    index = Index({path.name: path.read_bytes() for path in built})
    empty = tmp_path / "empty"
    empty.mkdir()
    use_folder_as_index(empty, monkeypatch, index_url=index.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield index
    index.server.shutdown()
    index.server.server_close()


def test_the_configured_index_is_used(tmp_path: Path, index: Index) -> None:
    """PIP_INDEX_URL says where; wheel and sdist are told apart; the file lies under its hash."""
    for path in (tmp_path / "texts-1.0-py3-none-any.whl", tmp_path / "texts-1.0.tar.gz"):
        got = download(source(path), tmp_path / "cache")
        assert got == tmp_path / "cache" / "downloads" / digest(path) / path.name
        assert got.read_bytes() == path.read_bytes()
        assert [p.name for p in got.parent.iterdir()] == [path.name]
    assert all(path.startswith(("/simple/texts", "/files/")) for path in index.asked)


def test_a_second_fetch_asks_nobody(tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in the cache and has the right hash needs neither pip nor a network."""
    wanted = source(tmp_path / "texts-1.0.tar.gz")
    first = download(wanted, tmp_path / "cache")
    monkeypatch.setattr(downloads, "pip_configuration", lambda: pytest.fail("pip was asked"))
    asked = len(index.asked)
    assert download(wanted, tmp_path / "cache") == first
    assert len(index.asked) == asked


def test_an_altered_cache_is_not_believed(tmp_path: Path, index: Index) -> None:
    """A cached file is hashed before each use, and fetched anew where it changed or was left half written."""
    wanted = source(tmp_path / "texts-1.0.tar.gz")
    path = download(wanted, tmp_path / "cache")
    path.write_bytes(b"altered")
    (path.parent / ".texts-1.0.tar.gz.tmp").write_bytes(b"half")
    assert digest(download(wanted, tmp_path / "cache")) == wanted.sha256
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("change", [{"version": "1.1"}, {"package": "textz"}, {"archive": "wheel"}])
def test_the_cache_does_not_hide_a_wrong_name(tmp_path: Path, index: Index, change: dict[str, str]) -> None:
    """Another package, version or kind beside a hash that is cached is refused as it would be on a fresh machine."""
    path = tmp_path / "texts-1.0.tar.gz"
    download(source(path), tmp_path / "cache")
    with pytest.raises(SourceError, match=r"no version|no package|wrong SHA-256"):
        download(source(path, **change), tmp_path / "cache")
    assert download(source(path), tmp_path / "cache").is_file()


@pytest.mark.parametrize("stated", [True, False])
def test_a_wrong_hash_is_refused(tmp_path: Path, index: Index, stated: bool) -> None:
    """The error names what was expected and what was got, whether the index tells or the bytes do; nothing stays."""
    index.hashes = stated
    path = tmp_path / "texts-1.0.tar.gz"
    with pytest.raises(SourceError) as caught:
        download(source(path, sha256="ab" * 32), tmp_path / "cache")
    assert f"expected {'ab' * 32}, got {digest(path)}" in str(caught.value)
    assert list((tmp_path / "cache").rglob("*.*")) == []
    assert any(path.startswith("/files/") for path in index.asked) is not stated


def test_what_does_not_exist_is_told_with_what_does(tmp_path: Path, index: Index) -> None:
    """No such package, version or kind of archive: each error names the nearest that exists."""
    path = tmp_path / "texts-1.0.tar.gz"
    with pytest.raises(SourceError, match="there is no package `textz`"):
        download(source(path, package="textz"), tmp_path)
    with pytest.raises(SourceError, match=r"texts has no version 1\.1") as caught:
        download(source(path, version="1.1"), tmp_path)
    assert "the nearest is 1.0" in str(caught.value)
    del index.files["texts-1.0-py3-none-any.whl"]
    with pytest.raises(SourceError, match=r"texts 1\.0 has no wheel") as caught:
        download(source(path, archive="wheel"), tmp_path)
    assert "it has: texts-1.0.tar.gz" in str(caught.value)


def test_versions_are_compared_as_versions(tmp_path: Path, index: Index) -> None:
    """1.0.0 and 1.0 are one version."""
    assert download(source(tmp_path / "texts-1.0.tar.gz", version="1.0.0"), tmp_path / "cache").is_file()


@pytest.mark.parametrize("failures", [[503], [200, 503], [200, -1], [429, 500]])
def test_a_bad_moment_of_the_network_is_survived(tmp_path: Path, index: Index, failures: list[int]) -> None:
    """An overloaded server and a download that breaks off are tried again."""
    index.failures = failures
    path = tmp_path / "texts-1.0.tar.gz"
    assert digest(download(source(path), tmp_path / "cache")) == digest(path)


def test_no_network_names_package_and_remedy(tmp_path: Path, index: Index) -> None:
    """After some attempts the error says which package, why, and what to look at; it repeats no address."""
    index.failures = [503] * 20
    for stop in (False, True):
        if stop:
            index.server.shutdown()
            index.server.server_close()
        with pytest.raises(SourceError) as caught:
            download(source(tmp_path / "texts-1.0.tar.gz"), tmp_path / "cache")
        message = str(caught.value)
        assert "cannot be reached" in message
        assert "texts 1.0 (sdist)" in message
        assert "pip config list" in message
        assert "127.0.0.1" not in message


def test_an_untrusted_index_is_called_that(tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain http without `trusted-host` is not asked, and that is no missing package; the error says what to do."""
    monkeypatch.setenv("PIP_INDEX_URL", "http://index.invalid/simple")
    with pytest.raises(SourceError, match=r"plain http.*not trusted") as caught:
        download(source(tmp_path / "texts-1.0.tar.gz"), tmp_path / "cache")
    assert "trusted-host" in str(caught.value)
    assert "index.invalid" not in str(caught.value)
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", index.url)
    assert download(source(tmp_path / "texts-1.0.tar.gz"), tmp_path / "cache").is_file()


def test_an_unreachable_index_does_not_matter_where_another_has_the_file(
    tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with pip, any of the configured places may have the package."""
    index.server.shutdown()
    index.server.server_close()
    monkeypatch.setenv("PIP_FIND_LINKS", f"{tmp_path} {tmp_path / 'missing'}")
    path = tmp_path / "texts-1.0.tar.gz"
    assert download(source(path), tmp_path / "cache").read_bytes() == path.read_bytes()


def test_nothing_of_an_sdist_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An sdist whose setup.py would leave a trace leaves none."""
    trace = tmp_path / "trace"
    path = sdist(tmp_path, {"setup.py": f"open({str(trace)!r}, 'w')".encode(), "a.txt": b"x"})
    use_folder_as_index(tmp_path, monkeypatch)
    download(source(path), tmp_path / "cache")
    assert not trace.exists()


def test_pip_is_asked_for_its_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration file counts, its `download` section more than `global`, and PIP_* most of all."""
    config = tmp_path / "pip.conf"
    config.write_text(
        "[global]\ntimeout = 5\nindex-url = https://user:pa'ss@example.org/a\nproxy = p\n[download]\nproxy = q\n",
        encoding="utf-8",
    )
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    monkeypatch.setenv("PIP_DEFAULT_TIMEOUT", "7")
    found = pip_configuration()
    assert (found["timeout"], found["proxy"]) == ("7", "q")
    assert found["index-url"] == "https://user:pa'ss@example.org/a"
