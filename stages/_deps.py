"""Which of our own files each stage runs, for the `deps:` of dvc.yaml, which DVC cannot see by itself.

`python -m stages._deps` writes them (`make deps`); a contract test holds them. The imports are read from the
source, those inside functions too, and the data files of a package (word lists, templates) go with it. A folder
whose every file is needed is named as a folder.

Left out on purpose: the table in `elek.params` that says where each section's class is. Validating another
section can refuse to start a stage but never change what it computes.
"""

from __future__ import annotations

import ast
import sys
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
LIBRARY = PROJECT / "src" if (PROJECT / "src" / "elek").is_dir() else PROJECT  # installed from a wheel
ROOTS = {"elek": LIBRARY, "stages": PROJECT}

# Modules that find others by looking into a folder: importing the first means importing all of the second.
DISCOVERS = {"elek.filtering": "elek.filters"}


def _file(module: str) -> Path | None:
    """The source of one of our modules; None for anything else, a package's attribute included."""
    root = ROOTS.get(module.partition(".")[0])
    if root is None:
        return None
    path = root.joinpath(*module.split("."))
    if path.is_dir():
        return path / "__init__.py"
    return path.with_suffix(".py") if path.with_suffix(".py").is_file() else None


def _imports(path: Path) -> set[str]:
    """Names that a source file imports when it runs; `from a import b` may mean the module `a.b`."""
    names: set[str] = set()

    def visit(node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if isinstance(child, ast.Import):
                names.update(alias.name for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                if child.level or child.module is None:
                    raise ValueError(f"{path}: relative imports are not used in this project")
                names.add(child.module)
                names.update(f"{child.module}.{alias.name}" for alias in child.names)
            visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return names


@cache
def closure(module: str) -> frozenset[Path]:
    """Every file of ours that runs when `module` is imported and used."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = _file(name)
        if name in seen or path is None:
            continue
        seen.add(name)
        waiting += _imports(path)
        if "." in name:
            waiting.append(name.rpartition(".")[0])
        if name in DISCOVERS:
            package = DISCOVERS[name]
            waiting += [f"{package}.{file.stem}" for file in (LIBRARY / package.replace(".", "/")).glob("*.py")]
    files = {path for name in seen if (path := _file(name)) is not None}
    for folder in {file.parent for file in files if file.name == "__init__.py"}:
        files |= {file for file in folder.iterdir() if _is_data(file)}
    return frozenset(files)


def _is_data(file: Path) -> bool:
    return file.is_file() and file.suffix not in {".py", ".pyc"} and not file.name.startswith(".")


def dependencies(stage: str) -> list[str]:
    """The code `deps` of a stage, relative to the project and sorted, whole folders collapsed."""
    paths = set(closure(f"stages.{stage}"))
    for folder in sorted({path.parent for path in paths}, key=lambda folder: -len(folder.parts)):
        if folder in {PROJECT / "stages", PROJECT / "src" / "elek"}:
            continue
        # Whether a subfolder is wholly needed is known by now: deeper folders come first.
        inside = {file for file in folder.iterdir() if file.suffix == ".py" or _is_data(file)}
        inside |= {sub for sub in folder.iterdir() if sub.is_dir() and (sub / "__init__.py").is_file()}
        if inside <= paths:
            paths = (paths - inside) | {folder}
    return sorted(path.relative_to(PROJECT).as_posix() for path in paths)


def is_code(dependency: str) -> bool:
    return dependency.startswith(("src/", "stages/"))


def main() -> None:
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = 120
    path = PROJECT / "dvc.yaml"
    document = yaml.load(path.read_text(encoding="utf-8"))
    for name, stage in document["stages"].items():
        data = [dependency for dependency in stage["deps"] if not is_code(dependency)]
        stage["deps"] = data + dependencies(name)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        yaml.dump(document, file)
    sys.stdout.write("dvc.yaml: the deps of every stage name what it imports\n")


if __name__ == "__main__":
    main()
