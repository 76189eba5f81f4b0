"""Where a model comes from: the digests in dvc.lock, and what git says of the code beside them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elek.errors import DataError

MODEL = "data/train"
"""The output whose digest names a model."""


@dataclass(frozen=True)
class Lineage:
    """What produced the files in the working tree."""

    outs: Mapping[str, str]
    """Every output in dvc.lock, by path, with DVC's digest of it."""
    commit: str | None
    """The commit that is checked out; None where git knows none."""
    changed: tuple[str, ...]
    """Tracked files that differ from the commit, without dvc.lock and what the stages write."""
    untraceable: str | None
    """Why the code cannot be found again by its commit; None where it can."""

    @property
    def dirty(self) -> bool:
        return self.untraceable is not None


def read(project: Path) -> Lineage:
    """The lineage of what lies in `project`. Raises DataError where dvc.lock is damaged."""
    outs = lock_outs(project)
    try:
        commit = git(project, "rev-parse", "HEAD").strip()
        names = git(project, "diff", "--name-only", "-z", "--relative", "HEAD", "--").split("\0")
    except FileNotFoundError:
        return Lineage(outs, None, (), "git is not installed")
    except subprocess.CalledProcessError as error:
        said = " ".join(error.stderr.split())
        reason = "not a git repository" if "not a git repository" in said else f"git cannot tell: {said}"
        return Lineage(outs, None, (), "nothing is committed yet" if "ambiguous argument 'HEAD'" in said else reason)
    changed = tuple(name for name in names if name and name != "dvc.lock" and not _is_output(name, outs))
    untraceable = None if not changed else f"uncommitted changes in {', '.join(changed[:3])}{' …' * (len(changed) > 3)}"
    return Lineage(outs, commit, changed, untraceable)


def git(project: Path, *arguments: str) -> str:
    """What git prints. Raises FileNotFoundError without git, CalledProcessError where it refuses."""
    return subprocess.run(
        ["git", "-C", str(project), *arguments],  # noqa: S607 - git is wherever PATH says
        check=True,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "LC_ALL": "C"},
    ).stdout


def _is_output(name: str, outs: Mapping[str, str]) -> bool:
    return any(name == out or name.startswith(f"{out}/") for out in outs)


def lock_outs(project: Path) -> dict[str, str]:
    """Path and digest of every output in dvc.lock; empty where nothing has run yet."""
    path = project / "dvc.lock"
    if not path.is_file():
        return {}
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise _damaged(error, str(path)) from None
    return parse_outs(text, str(path))


def parse_outs(text: str, where: str) -> dict[str, str]:
    """Path and digest of every output that the text of a dvc.lock names. Raises DataError where it is damaged."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        lock: Any = YAML(typ="safe", pure=True).load(text)
        return {
            out["path"]: out["md5"]
            for stage in (lock or {}).get("stages", {}).values()
            for out in stage.get("outs", [])
            if "md5" in out
        }
    except (YAMLError, AttributeError, KeyError, TypeError) as error:
        raise _damaged(error, where) from None


def _damaged(error: Exception, where: str) -> DataError:
    return DataError(
        f"dvc.lock is damaged: {' '.join(str(error).split())}",
        where=where,
        fix="restore it with `git checkout dvc.lock`, or delete it and run `dvc repro`",
    )


def digest(path: Path) -> str:
    """DVC's digest of a file (MD5) or of a folder (MD5 of its listing, ending in `.dir`)."""
    if path.is_file():
        return _md5(path)
    files = sorted((file.relative_to(path).as_posix(), file) for file in path.rglob("*") if file.is_file())
    listing = json.dumps([{"md5": _md5(file), "relpath": name} for name, file in files], sort_keys=True)
    return hashlib.md5(listing.encode(), usedforsecurity=False).hexdigest() + ".dir"


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def verify(project: Path, outs: Mapping[str, str], *paths: str) -> None:
    """Raise DataError unless each of `paths` lies in the project exactly as dvc.lock says."""
    for name in paths:
        if not (project / name).exists():
            raise DataError(f"{name} is missing", where=str(project), fix="`dvc pull` it, or `dvc repro` it")
        if digest(project / name) != outs[name]:
            raise DataError(f"{name} is not what dvc.lock says", where=str(project), fix="run `elek run`")
