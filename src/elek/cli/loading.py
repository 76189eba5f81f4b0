"""The model that a command works with: that of data/train, or a registered one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from elek.cli import console

if TYPE_CHECKING:
    from elek.generation import TextModel

HERE = "data/train"


def load_text_model(version: str | None) -> tuple[TextModel, str]:
    """The model with its vocabulary, and its name. Raises DataError where there is none."""
    project = console.project()
    from elek.generation import TextModel

    if version is None:
        return TextModel.load(project / "data" / "train", project / "data" / "vocab"), HERE
    from elek.params import load
    from elek.tracking.registry import RegisterParams
    from elek.tracking.store import open_store

    name = load(project / "params.yaml", "register", RegisterParams).model
    with open_store(project, name) as store:
        return TextModel.load(*store.locate(version)), f"{name}@{version}"
