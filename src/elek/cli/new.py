"""`elek new filter NAME`: the module of a filter and its test, ready to run, in a checkout of the project."""

from __future__ import annotations

import keyword
import re
import unicodedata
from importlib import resources
from pathlib import Path
from string import Template

from elek.cli import console
from elek.dataset import write_text
from elek.errors import ParamsError
from elek.filtering import discover

RESERVED = {"bytes", "id", "lang", "license", "source", "words", "hash", "pii", "dedup", "split"}
"""Names that columns of `annotate`, or the rules of other stages, begin with."""


def new_filter(name: str) -> None:
    """Write both files and say what to do next. Raises ParamsError for a name that cannot be, or that is taken."""
    written = write(console.project(), name)
    console.say(f"wrote {written[0].as_posix()} and {written[1].as_posix()}")
    console.say("now:")
    console.say(f"  1. one line in params.yaml, under `filter:`   {name}:")
    console.say(f"  2. make both files yours; then `python -m pytest tests/filters -k {name}`")
    console.say("  3. `elek run`: `annotate` measures the new signal, and everything after it follows")


def write(project: Path, name: str) -> tuple[Path, Path]:
    """Write the filter and its test below `project`; their paths relative to it."""
    module = Path("src", "elek", "filters", f"{name}.py")
    test = Path("tests", "filters", f"test_{name}.py")
    check(name)
    for path in (module, test):
        if not (project / path.parent).is_dir():
            raise ParamsError(
                f"there is no {path.parent.as_posix()} here",
                where=str(project),
                fix="a filter is a module of the source: clone the project, and run this in the clone",
            )
        if (project / path).exists():
            raise ParamsError(f"{path.as_posix()} is there already", where=str(project), fix="choose another name")
    words = name.split("_")
    values = {"name": name, "Class": "".join(map(str.capitalize, words)), "Title": " ".join(words).capitalize()}
    templates = resources.files("elek.cli").joinpath("templates")
    for path, template in ((module, "filter.py.txt"), (test, "test_filter.py.txt")):
        text = templates.joinpath(template).read_text(encoding="utf-8")
        write_text(project / path, Template(text).substitute(values))
    return module, test


def check(name: str) -> None:
    """Raise ParamsError unless a filter may be called so."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*", name) or len(name) > 40:
        letters = unicodedata.normalize("NFKD", name.lower().replace("ı", "i")).encode("ascii", "ignore").decode()
        plain = "_".join(re.findall(r"[a-z0-9]+", letters)).lstrip("0123456789_")[:40]
        fix = f"`elek new filter {plain}`" if plain else "letters, digits and underscores: `capital_letters`"
        raise ParamsError(f"`{name}` is no name for a filter: it is a module of Python, in small letters", fix=fix)
    if keyword.iskeyword(name) or name in RESERVED:
        raise ParamsError(
            f"`{name}` is taken: Python or the pipeline means something else by it", fix=f"`{name}_share`"
        )
    if name in discover():
        raise ParamsError(
            f"there is a filter `{name}` already", where=f"src/elek/filters/{name}.py", fix="choose another"
        )
