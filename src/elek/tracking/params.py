"""`tracking:` of params.yaml. Nothing here imports MLflow."""

from __future__ import annotations

from elek.params import Section


class TrackingParams(Section):
    """What MLflow is told while the pipeline runs. It changes no result, and so is never declared to DVC."""

    live: bool = True
    """Show a training in MLflow while it runs, curves and all. Off, MLflow has them once the model is registered."""
