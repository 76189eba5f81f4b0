"""Every error that Elek raises on purpose.

    ElekError
    ├── ParamsError      params.yaml says something that cannot be      exit code 2
    ├── SourceError      a source cannot be fetched or read             exit code 3
    ├── DataError        a file of ours is missing, torn or altered     exit code 4
    ├── LockError        another run is active here                     exit code 5
    ├── WorkerError      a worker process died                          exit code 6
    └── TrainingError    training cannot go on (loss is not a number…)  exit code 7
        └── StoppedError   it was asked to stop, and did

Each says what is wrong, where, and how to mend it. Anything else that escapes is a bug of ours, and its
traceback is shown.
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable
from pathlib import Path

DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What a system answers where no more can be written: the disk, somebody's quota or the limit of a file is reached."""
_LISTED = 40
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENAMETOOLONG)


class ElekError(Exception):
    """What is wrong, where, and how to mend it; `str()` joins the three into lines that a person reads."""

    exit_code = 1

    def __init__(self, what: str, *, where: str | None = None, fix: str | None = None) -> None:
        self.what, self.where, self.fix = what, where, fix
        super().__init__(what, where, fix)

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.fix:
            lines.append(f"  fix:   {self.fix}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword arguments do not survive the default pickling, and workers send their errors home by pickle.
        return _rebuild, (type(self), self.what, self.where, self.fix)


def _rebuild(cls: type[ElekError], what: str, where: str | None, fix: str | None) -> ElekError:
    return cls(what, where=where, fix=fix)


class ParamsError(ElekError):
    exit_code = 2


class SourceError(ElekError):
    exit_code = 3


class DataError(ElekError):
    exit_code = 4


class LockError(ElekError):
    exit_code = 5


class WorkerError(ElekError):
    exit_code = 6


class TrainingError(ElekError):
    exit_code = 7


class StoppedError(TrainingError):
    pass


def of_system(error: BaseException, folder: Path | None = None) -> DataError | None:
    """A full disk, or a file that the system lets nobody here read or write, in words; None for any other error.

    `folder` is where the caller was writing: libraries do not say which file they could not go on with.
    """
    number, name = (error.errno, error.filename) if isinstance(error, OSError) else (None, None)
    path = Path(str(name)).absolute() if name else None
    if path and path.name.startswith(".") and path.suffix == ".tmp":  # one of ours, which its folder does not take
        path = path.parent
    where = str(path or folder or "") or None
    # Libraries written in Rust carry the system's error in their text alone.
    if number in DISK_FULL or "(os error 28)" in str(error):
        fix = "make room (.cache/shards can be deleted) and run again"
        told = f": {error.strerror}" if isinstance(error, OSError) else ""
        return DataError(f"the disk is full{told}", where=where, fix=fix)
    if number in _REFUSED and path and isinstance(error, OSError):
        fix = "allow it, or take a file or folder that you may read and write"
        return DataError(f"the system refuses it: {error.strerror}", where=where, fix=fix)
    return None


def nearest(name: str, valid: Iterable[str], cutoff: float = 0.5) -> str | None:
    """The valid name that `name` was probably meant to be, or None where nothing is near (0 anything, 1 equal)."""
    found = difflib.get_close_matches(name, sorted(valid), n=1, cutoff=cutoff)
    return found[0] if found else None


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """A remedy for an unknown name: the nearest valid one, or a list of them."""
    valid = sorted(valid)
    near = nearest(name, valid)
    more = f" and {len(valid) - _LISTED} more" if len(valid) > _LISTED else ""
    return f"did you mean `{near}`?" if near else f"valid names: {', '.join(valid[:_LISTED])}{more}"
