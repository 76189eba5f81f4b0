"""Lineage in both directions over the model registry: version → its origins, source or document → versions.

A version's run in MLflow has the digests of every output of the pipeline as tags, and what it learned from as two
tables (`elek.lineage.provenance`). For an older version without these tables, the digests of the data are
compared instead.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from elek.errors import DataError, did_you_mean
from elek.explaining.finding import has_document, suggest_ids
from elek.lineage import worktree
from elek.lineage.provenance import DOCUMENTS, NEEDED, SOURCES, documents
from elek.params import load
from elek.tracking.registry import RegisterParams

if TYPE_CHECKING:
    from elek.tracking.store import Entry, Store


@dataclass(frozen=True)
class Learned:
    """How much of a source or a document one registered version learned from."""

    model: str
    version: int
    aliases: tuple[str, ...]
    documents: int
    tokens: int
    drawn: int | None
    """Tokens that training drew, repetitions counted; None where that was not recorded."""
    sha256: str | None
    """Of the document's text as this version saw it; None for a source."""

    @property
    def said(self) -> str:
        """In words."""
        seen = f"{self.drawn:,} drawn in training"
        if self.drawn is None:
            seen = "drawn an unknown number of times"
        elif self.drawn == 0:
            seen = "none of them drawn: in the training text, and nothing was learned from it"
        count = f"{self.documents:,} documents, " if self.sha256 is None else ""
        return f"{count}{self.tokens:,} tokens, {seen}"

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {**vars(self), "aliases": list(self.aliases), "said": self.said}


@dataclass(frozen=True)
class Descent:
    """The registered versions that learned from a source or a document, the newest first."""

    learned: tuple[Learned, ...]
    unknown: tuple[int, ...]
    """Versions without a record of what they learned from, whose data is no longer here either."""

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {"learned": [item.plain() for item in self.learned], "unknown": list(self.unknown)}


@dataclass(frozen=True)
class Rebuild:
    """Whether and how a version can be built again here."""

    commit: str | None
    commit_here: bool
    """Whether the commit is in this repository."""
    lock_here: bool
    """Whether that commit's dvc.lock names this very model."""
    cached: bool
    """Whether DVC's cache here holds the model itself."""
    commands: tuple[str, ...]
    result: str
    """How to check that it is the same model."""
    reasons: tuple[str, ...]
    """Obstacles, and steps that must be done by hand."""


@dataclass(frozen=True)
class Version:
    """Everything that is recorded about the origins of a registered version."""

    model: str
    number: int
    aliases: tuple[str, ...]
    run_id: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    digests: Mapping[str, str]
    """DVC's digest of every output, by path."""
    sources: Mapping[str, Any] | None
    """By name: licence, language, pins; documents, bytes and tokens in training. None: from an older Elek."""
    rebuild: Rebuild

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {**vars(self), "aliases": list(self.aliases), "rebuild": vars(self.rebuild)}


def registry_is_there(project: Path) -> bool:
    """Whether there is a registry. Checked first, because MLflow would create an empty one."""
    return bool(os.environ.get("MLFLOW_TRACKING_URI")) or (project / "mlflow.db").is_file()


def _model(project: Path) -> str:
    return load(project / "params.yaml", "register", RegisterParams).model


def trace(project: Path, name: str) -> Version | Descent:
    """A version (number or alias), or else the versions that learned from the source or document `name`.

    Raises DataError where nothing is registered, or nothing has that name, with the nearest that has.
    """
    if not registry_is_there(project):
        raise DataError("no model is registered yet", where=str(project), fix="run `elek run`")
    from elek.tracking.store import open_store

    model = _model(project)
    with open_store(project, model) as store:
        entries, aliases = store.entries(), store.aliases()
        numbers = {str(entry.number): entry for entry in entries}
        numbers |= {alias: numbers[str(number)] for alias, number in aliases.items() if str(number) in numbers}
        if name in numbers:
            return _version(project, model, store, numbers[name], aliases)
        found = _descent(project, model, store, entries, aliases, name)
        known = _known(project, store, entries)
    if found.learned or name in known or has_document(project, name):
        return found
    names = {*numbers, *known}
    raise DataError(
        f"`{name}` is no version or alias of `{model}`, no source, and no document's id",
        where="lineage",
        fix=suggest_ids(project, name, sorted(names))
        or (did_you_mean(name, names) if names else "register a model: `elek run`"),
    )


def descent(project: Path, name: str) -> Descent:
    """The registered versions that learned from a source or a document."""
    from elek.tracking.store import open_store

    model = _model(project)
    with open_store(project, model) as store:
        return _descent(project, model, store, store.entries(), store.aliases(), name)


def _descent(
    project: Path, model: str, store: Store, entries: list[Entry], aliases: Mapping[str, int], name: str
) -> Descent:
    found, unknown = [], []
    for entry in entries:
        table = _documents(project, store, entry)
        if table is None:
            unknown.append(entry.number)
            continue
        rows = table.filter(pc.equal(table["id"], name))
        sha256 = rows["sha256"][0].as_py().hex() if len(rows) else None
        if not len(rows):
            rows = table.filter(pc.equal(table["source"], name))
        if len(rows):
            tokens, drawn = pc.sum(rows["tokens"]).as_py(), pc.sum(rows["drawn"]).as_py()
            own = _aliases(aliases, entry.number)
            found.append(Learned(model, entry.number, own, len(rows), tokens, drawn, sha256))
    return Descent(tuple(found), tuple(unknown))


def _documents(project: Path, store: Store, entry: Entry) -> pa.Table | None:
    """The documents that a version learned from: the table logged with it, or else the same data if it is here."""
    logged = store.artifact(entry.run_id, f"lineage/{DOCUMENTS}")
    if logged is not None:
        return pq.read_table(pa.BufferReader(logged))
    outs = worktree.lock_outs(project)
    if any(entry.run_tags.get(f"dvc.{name}", "") != outs.get(name) for name in (*NEEDED, worktree.MODEL)):
        return None
    same = all((project / name).is_dir() and worktree.digest(project / name) == outs[name] for name in NEEDED)
    return documents(project) if same else None


def _aliases(aliases: Mapping[str, int], number: int) -> tuple[str, ...]:
    return tuple(sorted(alias for alias, own in aliases.items() if own == number))


def _known(project: Path, store: Store, entries: list[Entry]) -> set[str]:
    """Sources of the present data and of every version."""
    path = project / "data" / "fetch" / "sources.json"
    found = set(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else set()
    for entry in entries:
        found |= set(_sources(store, entry) or ())
    return found


def _sources(store: Store, entry: Entry) -> dict[str, Any] | None:
    logged = store.artifact(entry.run_id, f"lineage/{SOURCES}")
    return None if logged is None else json.loads(logged)


def _version(project: Path, model: str, store: Store, entry: Entry, aliases: Mapping[str, int]) -> Version:
    digests = {key.removeprefix("dvc."): tag for key, tag in entry.run_tags.items() if key.startswith("dvc.")}
    tags = {**{key: tag for key, tag in entry.run_tags.items() if key.startswith("git_")}, **entry.tags}
    return Version(
        model,
        entry.number,
        _aliases(aliases, entry.number),
        entry.run_id,
        dict(sorted(tags.items())),
        dict(sorted(entry.params.items())),
        dict(sorted(digests.items())),
        _sources(store, entry),
        rebuild(project, entry.run_id, tags, digests.get(worktree.MODEL, "")),
    )


def rebuild(project: Path, run_id: str, tags: Mapping[str, str], digest: str) -> Rebuild:
    """Whether and how the model with this digest can be built again in `project`."""
    commit = tags.get("git_commit")
    commit = None if commit in (None, "none") else commit
    here = commit is not None and _git(project, "cat-file", "-e", f"{commit}^{{commit}}") is not None
    lock = _git(project, "show", f"{commit}:./dvc.lock") if here else None
    locked = lock is not None and digest in worktree.parse_outs(lock, f"dvc.lock of {commit}").values()
    cached = _in_cache(project, digest)
    reasons, commands = [], []
    if commit is None:
        reasons.append(f"no commit is recorded: {tags.get('git_dirty_because', 'git knew none')}")
    elif not here:
        reasons.append(f"commit {commit[:12]} is not in this repository: `git fetch` it first")
    if tags.get("git_dirty") == "true" and commit is not None:
        reasons.append(f"the code was not the commit's: {tags.get('git_dirty_because', 'uncommitted changes')}")
    if commit is not None:
        commands.append(f"git worktree add ../elek-{digest[:8]} {commit} && cd ../elek-{digest[:8]}")
    if not locked:
        if here:
            reasons.append("that commit's dvc.lock does not name this model; the one logged with the run does")
        commands.append(f"mlflow artifacts download --run-id {run_id} --artifact-path pipeline --dst-path .")
        commands.append("""python -c "import shutil; shutil.copytree('pipeline', '.', dirs_exist_ok=True)\"""")
    if cached:
        commands.append(f"dvc checkout {worktree.MODEL}")
    commands.append("dvc repro")
    result = f"dvc.lock must then give {worktree.MODEL} the digest {digest}"
    return Rebuild(commit, here, locked, cached, tuple(commands), result, tuple(reasons))


def _git(project: Path, *arguments: str) -> str | None:
    """The output of git; None where it fails or is not installed."""
    try:
        return worktree.git(project, *arguments)
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None


def _in_cache(project: Path, digest: str) -> bool:
    return bool(digest) and (project / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]).is_file()
