"""Files by glob, in one order on every system."""

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
    """A file to read: the name that documents know it by (posix, relative), and where it lies."""

    name: str
    path: Path


def fixed_part(pattern: str) -> str:
    """The folder (or file) that everything matching `pattern` lies under: `data/raw` for `data/raw/*/x.txt`."""
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
    """Whether the posix path `name` fits one of the globs; letter case counts on every system."""
    return any(_compiled(pattern).fullmatch(name) for pattern in patterns)


def wanted(name: str, patterns: Sequence[str], exclude: Sequence[str]) -> bool:
    return matches(name, patterns) and not matches(name, exclude)


def find_files(root: Path, patterns: Sequence[str], exclude: Sequence[str] = ()) -> list[File]:
    """Every file under `root` that fits, sorted by name. Links to files are read, links to folders not entered.

    Raises SourceError that names the pattern and the nearest existing file where nothing fits, and for a folder that
    cannot be listed.
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
    """`name` with `\\xNN` for what is no Unicode in it, which Python has as surrogates and no file of ours can hold:
    bytes that are no UTF-8, or half a character of a Windows name."""
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
    """The error of globs that match none of `names`, naming the nearest ones."""
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
