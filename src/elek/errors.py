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
from collections.abc import Iterable


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


def nearest(name: str, valid: Iterable[str], cutoff: float = 0.5) -> str | None:
    """The valid name that `name` was probably meant to be, or None where nothing is near (0 anything, 1 equal)."""
    found = difflib.get_close_matches(name, sorted(valid), n=1, cutoff=cutoff)
    return found[0] if found else None


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """A remedy for an unknown name: the nearest valid one, or the list of all of them."""
    valid = sorted(valid)
    near = nearest(name, valid)
    return f"did you mean `{near}`?" if near else f"valid names: {', '.join(valid)}"
