"""What every command is called, takes and says of itself. Its body is a module of `elek.cli`, imported when it is
called: `--help` must be instant. The order of the imports below is that of the help."""

from elek.cli.declared import pipeline, models, data, classifier  # noqa: I001
from elek.cli.declared.program import app

__all__ = ["app", "classifier", "data", "models", "pipeline"]
