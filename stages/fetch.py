"""fetch: sources in params → documents (`train` and `evaluation`), and a list of what could not be read."""

from __future__ import annotations

from pathlib import Path

from elek.errors import ParamsError
from elek.params import read
from elek.sources.fetching import fetch
from elek.sources.files import fixed_part
from elek.sources.huggingface import local_folder
from elek.sources.params import FetchParams, FilesSource, HuggingFaceSource
from stages._shell import Stage

DEFAULT_DEPS = ["data/raw"]


def check_tracked(params: FetchParams, project: Path) -> None:
    """Refuse local text outside of what DVC watches for this stage: its changes would go unnoticed."""
    paths: list[tuple[str, str]] = []
    for name, source in params.sources.items():
        if isinstance(source, FilesSource):
            paths += [(name, fixed_part(pattern)) for pattern in source.files]
        elif isinstance(source, HuggingFaceSource) and local_folder(source, project):
            paths.append((name, source.path.removeprefix("./").rstrip("/")))
    dvc = project / "dvc.yaml"
    deps = read(dvc)["stages"]["fetch"]["deps"] if paths and dvc.is_file() else DEFAULT_DEPS
    for name, path in paths:
        if not any(path == dep or path.startswith(f"{dep}/") for dep in deps):
            raise ParamsError(
                f"the source `{name}` reads `{path or '.'}`, where DVC would not notice a change",
                where=f"params.yaml, fetch.sources.{name}",
                fix="put the files under data/raw, or add their folder to the deps of `fetch` in dvc.yaml",
            )


def main() -> None:
    with Stage("fetch", FetchParams) as stage:
        check_tracked(stage.params, stage.project)
        stage.metrics = fetch(stage.params, stage.out, cache=stage.project / ".cache", project=stage.project)
        for name, source in stage.metrics["sources"].items():
            text = f"{source['documents']:>6,} documents  {source['bytes'] / 1e6:>6.2f} MB  {source['lang']}"
            note = f"  ({source['skipped']} skipped)" if source["skipped"] else ""
            stage.summary.append((name, f"{text}  {source['license']}  {source['role']}{note}"))
        stage.summary.append(("total", _total(stage.metrics)))


def _total(metrics: dict[str, dict[str, int]]) -> str:
    documents, size = metrics["documents"], metrics["bytes"]
    train = f"{documents['train']:,} documents, {size['train'] / 1e6:.2f} MB to train on"
    return f"{train}; {documents['evaluation']:,} and {size['evaluation'] / 1e6:.2f} MB to evaluate"


if __name__ == "__main__":
    main()
