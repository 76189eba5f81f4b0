"""Files of Python packages, found with the index that pip is configured with and pinned by SHA-256.

pip itself would build an sdist to learn its name; `unearth` only finds and downloads files. The index is the one in
pip's configuration (files and PIP_* variables), or else unearth's default.

A download is stored at `<cache>/downloads/<sha256>/<file name>`, under a temporary name until its hash was checked. It
is hashed again before each use; a file in the cache needs neither pip nor the network.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any, TypeVar, cast

from elek.dataset import sha256_file
from elek.errors import SourceError, nearest
from elek.progress import Progress
from elek.sources.params import PackageSource
from elek.sources.pip import certificates, pip_configuration

if TYPE_CHECKING:
    from unearth import Link, Package
    from unearth.fetchers import Fetcher

ATTEMPTS = 3
CHUNK = 2**20
NETWORK_FIX = "check the network, and the index, proxy and certificate in `pip config list`; then run this again"

T = TypeVar("T")


def download(source: PackageSource, cache: Path, label: str = "fetch") -> Path:
    """The file that `source` pins, from the cache or the index.

    Raises SourceError where the package, the version or the kind of archive does not exist (it names what does),
    the index cannot be reached, or the bytes have another SHA-256.
    """
    folder = cache / "downloads" / source.sha256
    for path in sorted(folder.glob("[!.]*")):
        if sha256_file(path) != source.sha256:
            path.unlink()  # altered since the download: fetched again
        elif _is_named(path.name, source):  # params may name another package with the same hash
            return path
    return _Index(source).download(folder, label)


def _is_named(file: str, source: PackageSource) -> bool:
    """Whether a wheel or sdist is, by its name, of the package and version that `source` states."""
    from packaging.utils import (
        InvalidSdistFilename,
        InvalidWheelFilename,
        canonicalize_name,
        parse_sdist_filename,
        parse_wheel_filename,
    )
    from packaging.version import InvalidVersion, Version

    try:
        name, version = parse_wheel_filename(file)[:2] if source.archive == "wheel" else parse_sdist_filename(file)
        return name == canonicalize_name(source.package) and version == Version(source.version)
    except (InvalidSdistFilename, InvalidWheelFilename, InvalidVersion):
        return False


@dataclass(frozen=True)
class _Location:
    url: str
    is_index: bool


class _Index:
    """The indexes and wheel folders in pip's configuration, for one package."""

    def __init__(self, source: PackageSource) -> None:
        from unearth import PackageFinder
        from unearth.auth import MultiDomainBasicAuth
        from unearth.fetchers import PyPIClient

        # It logs every location without the package, with the address, which may contain a password.
        logging.getLogger("unearth").setLevel(logging.ERROR)
        self.source = source
        self.where = f"{source.package} {source.version} ({source.archive})"
        options = pip_configuration()
        indexes = []
        if options.get("no-index", "").lower() not in ("1", "true", "yes", "on"):
            # A new finder has one source: the default index.
            default: str = PackageFinder().sources[0]["url"]
            indexes = [options.get("index-url", default), *options.get("extra-index-url", "").split()]
        self.locations = [_Location(url, True) for url in indexes]
        self.locations += [_Location(place, False) for place in options.get("find-links", "").split()]
        trusted = options.get("trusted-host", "").split()
        self.client = PyPIClient(
            trusted_hosts=trusted,
            verify=certificates(options["cert"]) if "cert" in options else True,
            cert=options.get("client-cert"),
            proxy=options.get("proxy"),
            timeout=float(options.get("timeout", 15)),
            follow_redirects=True,
            event_hooks={"response": [_refuse]},
        )
        self.client.auth = MultiDomainBasicAuth(prompting=False, index_urls=indexes)

    def download(self, folder: Path, label: str) -> Path:
        with self.client:
            link = self._choose(self._packages())
            return self._retry(partial(self._save, link, folder, label))

    def _packages(self) -> list[Package]:
        """Every file of the package.

        As with pip, an unreachable location is an error only if no other one has the version.
        """
        found: list[Package] = []
        unreachable: SourceError | None = None
        for location in self.locations:
            try:
                found += self._retry(partial(self._list, location))
            except SourceError as error:
                unreachable = error
            except ValueError:  # a find-links folder that does not exist
                continue
        if unreachable and self.source.version not in {package.version for package in found}:
            raise unreachable
        return found

    def _list(self, location: _Location) -> list[Package]:
        from unearth import Link, PackageFinder
        from unearth.collector import is_secure_origin

        client = cast("Fetcher", self.client)
        if location.url.startswith("http://") and not is_secure_origin(client, Link(location.url)):
            # Refused, as pip does; unearth would treat it as an empty index. Its address is not shown (see `_reason`).
            raise SourceError(
                "the package index is plain http, which anybody on the way can alter, and not trusted: it is not asked",
                where=self.where,
                fix="use its https address, or name its host in pip's `trusted-host` (PIP_TRUSTED_HOST)",
            )
        finder = PackageFinder(client, ignore_compatibility=True)
        finder.sources = [{"url": location.url, "type": "index" if location.is_index else "find_links"}]
        return list(finder.find_all_packages(self.source.package, allow_yanked=True))

    def _choose(self, packages: list[Package]) -> Link:
        from packaging.version import InvalidVersion, Version

        source = self.source
        if not packages and not any(location.is_index for location in self.locations):
            raise SourceError(
                f"pip is told to use no index, and its wheel folders do not have `{source.package}`",
                where=self.where,
                fix="take `no-index` out of pip's configuration (PIP_NO_INDEX), or put the file into `find-links`",
            )
        if not packages:
            raise SourceError(
                f"there is no package `{source.package}` on the index that pip is configured with",
                where=self.where,
                fix="check its spelling, and the index in `pip config list`",
            )
        versions = sorted({Version(package.version) for package in packages if package.version}, reverse=True)
        try:
            version = Version(source.version)
        except InvalidVersion:
            version = None
        if version not in versions:
            listed = [str(found) for found in versions]
            near = nearest(source.version, listed)
            raise SourceError(
                f"{source.package} has no version {source.version}",
                where=self.where,
                fix=f"the nearest is {near or listed[0]}; the newest: {', '.join(listed[:5])}",
            )
        same = [package.link for package in packages if package.version and Version(package.version) == version]
        links = [link for link in same if link.is_wheel == (source.archive == "wheel")]
        if not links:
            raise SourceError(
                f"{source.package} {source.version} has no {source.archive}",
                where=self.where,
                fix=f"it has: {', '.join(sorted({link.filename for link in same}))}",
            )
        stated = [(_stated_hash(link), link) for link in links]
        for wanted in (source.sha256, None):  # a file without a stated hash is hashed after the download
            for digest, link in stated:
                if digest == wanted:
                    return link
        raise self._wrong_hash(", ".join(sorted({f"{digest} ({link.filename})" for digest, link in stated})))

    def _wrong_hash(self, got: str) -> SourceError:
        return SourceError(
            f"wrong SHA-256: expected {self.source.sha256}, got {got}",
            where=self.where,
            fix="if the file is the one that you mean, pin what was got in params; else do not use it",
        )

    def _save(self, link: Link, folder: Path, label: str) -> Path:
        name = PureWindowsPath(link.filename).name  # removes folders with either kind of slash, and a drive
        folder.mkdir(parents=True, exist_ok=True)
        for stale in folder.glob(".*.tmp"):
            stale.unlink()
        temporary = folder / f".{name}.tmp"
        digest = hashlib.sha256()
        try:
            with temporary.open("wb") as file:
                for chunk in self._stream(link, label):
                    digest.update(chunk)
                    file.write(chunk)
            if digest.hexdigest() != self.source.sha256:
                raise self._wrong_hash(digest.hexdigest())
            return temporary.replace(folder / name)
        finally:
            temporary.unlink(missing_ok=True)

    def _stream(self, link: Link, label: str) -> Iterator[bytes]:
        with self.client.get_stream(link.normalized) as response:
            response.raise_for_status()
            size = int(response.headers.get("Content-Length") or 0)
            received = 0
            with Progress(label, max(1, size >> 20), "MiB") as progress:
                for chunk in response.iter_bytes(CHUNK):
                    received += len(chunk)
                    if step := min(received >> 20, progress.total) - progress.done:
                        progress.advance(step, f"of {link.filename}")
                    yield chunk
                if step := progress.total - progress.done:
                    progress.advance(step, f"of {link.filename}")
            if size and received < size and "Content-Encoding" not in response.headers:
                raise ConnectionError("the download broke off")

    def _retry(self, work: Callable[[], T]) -> T:
        """Try `ATTEMPTS` times, as the network may fail briefly. Raises SourceError after the last attempt."""
        from unearth.preparer import HTTPErrors

        failures: tuple[type[Exception], ...] = (*HTTPErrors, ConnectionError)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return work()
            except failures as error:
                if attempt < ATTEMPTS and not _is_final(error):
                    time.sleep(attempt)
                    continue
                raise SourceError(
                    f"the package index cannot be reached: {_reason(error)}", where=self.where, fix=NETWORK_FIX
                ) from None
        raise AssertionError


def _stated_hash(link: Link) -> str | None:
    stated = (link.hash_option or {}).get("sha256")
    return stated[0] if stated else None


def _refuse(response: Any) -> None:
    """Raise for responses of an overloaded or refusing server, which unearth would treat as an empty list.

    401 is not among them, because the authentication handles it.
    """
    if response.status_code >= 500 or response.status_code in (403, 407, 429):
        response.raise_for_status()


def _status(error: Exception) -> int | None:
    response: Any = getattr(error, "response", None)
    return getattr(response, "status_code", None)


def _is_final(error: Exception) -> bool:
    """Whether another attempt is useless: a status of 4xx, except for timeouts and rate limits."""
    status = _status(error)
    return status is not None and 400 <= status < 500 and status not in (408, 429)


def _reason(error: Exception) -> str:
    # An address may contain a password and is specific to this machine, so it is not shown.
    status = _status(error)
    return f"HTTP status {status}" if status else f"{type(error).__name__}: {error}".split("://")[0]
