"""`export:` of params.yaml."""

from __future__ import annotations

from elek.params import Section


class ExportParams(Section):
    """Nothing is left to choose: what is exported follows from the model and its vocabulary."""
