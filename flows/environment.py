"""Settings of Prefect, DVC and MLflow for everything that a run starts. Must be called before Prefect is imported."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def settings(project: Path) -> dict[str, str]:
    """Environment of a run in `project`: history inside the project, nothing reported to anybody.

    The folder of the running interpreter comes first in PATH: `python` in dvc.yaml must mean this one, also
    when nobody activated the virtual environment.
    """
    here = str(Path(sys.executable).parent)
    path = os.environ.get("PATH", "")
    return {
        "PATH": path if path.split(os.pathsep)[0] == here else os.pathsep.join([here, path]),
        "PREFECT_HOME": str(project / ".prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "DO_NOT_TRACK": "1",
        "DVC_NO_ANALYTICS": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PYTHONUTF8": "1",
    }


def apply(project: Path) -> None:
    """Put `settings` into this process's environment, and so into every child's."""
    os.environ.update(settings(project))
