"""How params name a trained model: its folder, and the digest that makes a changed model a changed setting."""

from __future__ import annotations

from pydantic import Field, model_validator

from elek.params import Section


class ModelSettings(Section):
    """Base of the settings of a filter that reads a model of `elek classifier train`.

    DVC watches params, not what a path in them leads to: the digest is what makes a model that was trained anew run
    `annotate` again. It is compared when the model is loaded, and `elek classifier train` prints it.
    """

    model: str | None = Field(default=None, min_length=1)
    """The model's folder, relative to the project; null for none."""

    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """The model's digest, as `elek classifier train` and `elek classifier evaluate` print it."""

    @model_validator(mode="after")
    def _together(self) -> ModelSettings:
        if (self.model is None) != (self.sha256 is None):
            missing = "sha256" if self.sha256 is None else "model"
            raise ValueError(f"`model` and `sha256` belong together, and there is no `{missing}`")
        return self
