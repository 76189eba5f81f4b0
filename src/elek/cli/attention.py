"""`elek attention`."""

from __future__ import annotations

from pathlib import Path

from elek.cli import console
from elek.cli.loading import load_text_model
from elek.dataset import write_text


def attention(text: str, out: Path, version: str | None) -> None:
    """Write the page whole or not at all. Raises ParamsError where `out` cannot be one."""
    console.check_page(out)
    model, name = load_text_model(version)
    from elek.generation.attention import page

    write_text(out, page(model, text, name))
    console.say(f"{out}: open it in a browser")
