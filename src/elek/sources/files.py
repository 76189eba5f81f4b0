"""Find files by glob patterns, in the same order on every system."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from elek.errors import SourceError

NEAREST_AMONG = 5000


class File(NamedTuple):
    """A file to read: its name in documents (a relative POSIX path), and its actual path."""

    name: str
    path: Path


def fixed_part(pattern: str) -> str:
    """The folder (or file) that contains everything matching `pattern`: `data/raw` for `data/raw/*/x.txt`."""
    parts = pattern.split("/")
    fixed = []
    for part in parts:
        if any(sign in part for sign in "*?["):
            break
        fixed.append(part)
    return "/".join(fixed)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    regex = ""
    for part in pattern.split("/"):
        if part == "**":
            regex += r"(?:[^./][^/]*/)*"
            continue
        if part[:1] in ("*", "?", "["):
            regex += r"(?!\.)"  # as in a shell: a hidden file needs its dot in the pattern
        position = 0
        while position < len(part):
            sign = part[position]
            closing = part.find("]", position + 2) if sign == "[" else -1
            if closing > 0:
                body = part[position + 1 : closing]
                negated = body[:1] in ("!", "^")
                regex += f"[{'^/' if negated else ''}{re.escape(body[negated:]).replace(chr(92) + '-', '-')}]"
                position = closing
            else:
                regex += {"*": "[^/]*", "?": "[^/]"}.get(sign, re.escape(sign))
            position += 1
        regex += "/"
    # `a/**` means every file below `a`.
    return re.compile(regex + "[^./][^/]*" if pattern.split("/")[-1] == "**" else regex.removesuffix("/"), re.DOTALL)


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether the POSIX path `name` matches one of the globs, case-sensitively on every system."""
    return any(_compiled(pattern).fullmatch(name) for pattern in patterns)


def wanted(name: str, patterns: Sequence[str], exclude: Sequence[str]) -> bool:
    """Whether `name` matches one of `patterns` and none of `exclude`."""
    return matches(name, patterns) and not matches(name, exclude)


def find_files(root: Path, patterns: Sequence[str], exclude: Sequence[str] = ()) -> list[File]:
    """Every file under `root` that is wanted, sorted by name. Links to files are followed, links to folders are not.

    Raises SourceError for a folder that cannot be listed, and where nothing matches, naming the most similar files.
    """
    found: dict[str, Path] = {}
    seen: list[str] = []
    for start in sorted({fixed_part(pattern) for pattern in patterns}):
        base = root / start
        for path in [base] if base.is_file() else _walk(base, root):
            name = plain_name(path.relative_to(root).as_posix())
            if wanted(name, patterns, exclude):
                found[name] = path
            elif len(seen) < NEAREST_AMONG:
                seen.append(name)
    if not found:
        raise no_match(patterns, seen, "the project's folder")
    return [File(name, found[name]) for name in sorted(found)]


def plain_name(name: str) -> str:
    """`name` with `\\xNN` for bytes that are not UTF-8, and for half characters in names on Windows.

    Python represents both as surrogates, which cannot be written to a file.
    """
    try:
        raw = name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raw = name.encode("utf-8", "surrogatepass")
    return raw.decode("utf-8", "backslashreplace")


def _walk(folder: Path, root: Path) -> Iterable[Path]:
    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):  # `folder` itself, which may not exist
            where = plain_name(Path(error.filename).relative_to(root).as_posix())
            raise SourceError(f"a folder cannot be listed: {error.strerror}", where=where) from None

    for parent, _, names in os.walk(folder, onerror=refuse):
        for name in names:
            yield Path(parent, name)


def no_match(patterns: Sequence[str], names: Iterable[str], where: str) -> SourceError:
    """The error for globs that match none of `names`, with the most similar ones."""
    near: list[str] = []
    names = list(names)[:NEAREST_AMONG]
    for pattern in patterns:
        plain = pattern.replace("**/", "")
        near += difflib.get_close_matches(plain, names, n=3, cutoff=0.3)
    listed = ", ".join(dict.fromkeys(near)) or ", ".join(sorted(names)[:3])
    return SourceError(
        f"no file matches {', '.join(f'`{pattern}`' for pattern in patterns)}",
        where=where,
        fix=f"the nearest that exist: {listed}" if listed else "there are no files at all",
    )
