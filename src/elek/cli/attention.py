"""`elek attention`."""

from __future__ import annotations

import os
from pathlib import Path

from elek.cli import console
from elek.cli.loading import load_text_model
from elek.errors import ParamsError


def attention(text: str, out: Path, version: str | None) -> None:
    """Write the page whole or not at all. Raises ParamsError where its folder is missing."""
    console.project()
    if not out.parent.is_dir():
        raise ParamsError("there is no such folder", where=str(out.parent), fix="make it, or give another --out")
    model, name = load_text_model(version)
    from elek.generation.attention import page

    made = page(model, text, name)
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    temporary.write_text(made, encoding="utf-8", newline="\n")
    temporary.replace(out)
    console.say(f"{out}: open it in a browser")
