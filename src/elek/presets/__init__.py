"""Presets: rule sets as published, ready to copy into params.yaml.

Each is a file of its own beside this one, with a `filter` section and, where the rules measure something that is not
our default, `annotate`; comments name the source. People copy a section from the file into their params.yaml; code
asks `load`. A preset decides by the filters that it names and by nothing else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from elek.errors import ParamsError, did_you_mean
from elek.params import read

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """Every preset, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load(name: str) -> dict[str, Any]:
    """The preset's sections of params.yaml, as plain data. Raises ParamsError for a name that there is not."""
    if name not in names():
        raise ParamsError(f"there is no preset `{name}`", where="presets", fix=did_you_mean(name, names()))
    return read(FOLDER / f"{name}.yaml")
