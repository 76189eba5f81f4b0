"""What commands print: errors, JSON, tables. Plain text unless a person looks on."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import Any

from elek.errors import ElekError, ParamsError


def use_utf8() -> None:
    """Print UTF-8 whatever the system's code page is: Turkish letters must not end a run on Windows."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")


def print_error(error: ElekError) -> None:
    """The error's lines on stderr, in red on a terminal."""
    text = str(error)
    if sys.stderr.isatty() and "NO_COLOR" not in os.environ:
        text = f"\x1b[31m{text}\x1b[0m"
    sys.stderr.write(text + "\n")


def print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True) + "\n")


def say(text: str = "") -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def check_page(out: Path) -> None:
    """Before the work for a page begins: raises ParamsError where it cannot be written as `out`."""
    if out.is_dir():
        raise ParamsError("this is a folder, and a page is a file", where=str(out), fix=f"--out {out / 'page.html'}")
    folder = next(parent for parent in out.absolute().parents if parent.exists())
    if not folder.is_dir():
        raise ParamsError(
            "this is a file, and a page cannot lie in it", where=str(folder), fix="name another with --out"
        )
    if not os.access(folder, os.W_OK):
        raise ParamsError("nobody here may write to this folder", where=str(folder), fix="name another with --out")


def project() -> Path:
    """The project in the current folder. Raises ParamsError outside of one, naming the nearest one above."""
    here = Path.cwd()
    if _is_project(here):
        return here
    above = next((folder for folder in here.parents if _is_project(folder)), None)
    missing = " and ".join(name for name in ("dvc.yaml", "params.yaml") if not (here / name).is_file())
    fix = f"cd {above}" if above else "go to the folder of an Elek project, or clone one"
    raise ParamsError(f"this is no Elek project: {missing} not found", where=str(here), fix=fix)


def _is_project(folder: Path) -> bool:
    return (folder / "dvc.yaml").is_file() and (folder / "params.yaml").is_file()
