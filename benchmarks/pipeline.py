"""How long the pipeline takes, stage by stage, and how long it takes to find that nothing is to do.

    python -m benchmarks.pipeline            # what the last run here took, the no-op and the command line's start
    python -m benchmarks.pipeline --fresh    # first clone the project and run it from nothing (downloads included)

The fastest of several repetitions counts, so that other programs disturb little; the run itself counts once.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STAGES = "fetch clean annotate filter dedup split vocab tokenize train evaluate export report"


def seconds(folder: Path, *command: str, repetitions: int = 1) -> float:
    """Wall-clock seconds of the fastest repetition of `python -m command` in `folder`, its output thrown away."""
    scripts = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": os.pathsep.join([scripts, os.environ["PATH"]]), "DVC_NO_ANALYTICS": "1"}
    best = float("inf")
    for _ in range(repetitions):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", *command], cwd=folder, env=environment, capture_output=True, check=True)
        best = min(best, time.perf_counter() - start)
    return best


def measure(folder: Path, *, fresh: bool) -> None:
    if fresh:
        print(f"{'elek run':<28}{seconds(folder, 'elek.cli', 'run'):8.1f} s")
    for stage in STAGES.split():
        timing = json.loads((folder / ".cache" / "timings" / f"{stage}.json").read_text(encoding="utf-8"))
        speed = f"  {timing['tokens_per_second']:,} tokens/s" if "tokens_per_second" in timing else ""
        print(f"  {stage:<26}{timing['seconds']:8.1f} s  {timing['peak_mib']:>6,} MiB{speed}")
    print(f"{'dvc repro, nothing to do':<28}{seconds(folder, 'dvc', 'repro', repetitions=3):8.2f} s")
    print(f"{'elek run, nothing to do':<28}{seconds(folder, 'elek.cli', 'run', repetitions=2):8.2f} s")
    print(f"{'elek --help':<28}{seconds(folder, 'elek.cli', '--help', repetitions=5):8.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fresh", action="store_true", help="clone the project into an empty folder and run it there")
    fresh = parser.parse_args().fresh
    project = Path(__file__).resolve().parent.parent
    if not fresh:
        measure(project, fresh=False)
        return
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "elek"
        subprocess.run(["git", "clone", "--quiet", str(project), str(clone)], check=True)  # noqa: S607
        measure(clone, fresh=True)


if __name__ == "__main__":
    main()
