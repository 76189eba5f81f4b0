"""Digests equal DVC's own, and git's view of the tree."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from elek.errors import DataError
from elek.lineage import worktree
from tests.project import dvc, git


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with one commit."""
    git(tmp_path, "init", "--quiet")
    (tmp_path / "code.py").write_text("x = 1\n", encoding="utf-8")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "Begin")
    return tmp_path


def test_digest_equals_dvc(tmp_path: Path) -> None:
    """Files and folders, nested ones and names with Turkish letters included, have the digest that DVC gives them."""
    folder = tmp_path / "data"
    (folder / "b" / "ğüşiöç").mkdir(parents=True)
    for name, content in {
        "b.txt": b"1\r\n",
        "b/a.bin": bytes(range(256)),
        "b/ğüşiöç/ı.txt": b"",
        "a.txt": b"2",
    }.items():
        (folder / name).write_bytes(content)
    dvc(tmp_path, "init", "--no-scm", "--quiet")
    dvc(tmp_path, "add", "--quiet", "data")
    said = YAML(typ="safe").load((tmp_path / "data.dvc").read_text(encoding="utf-8"))["outs"][0]["md5"]
    assert worktree.digest(folder) == said
    dvc(tmp_path, "remove", "data.dvc")
    dvc(tmp_path, "add", "--quiet", "data/b.txt")
    said = YAML(typ="safe").load((folder / "b.txt.dvc").read_text(encoding="utf-8"))["outs"][0]["md5"]
    assert worktree.digest(folder / "b.txt") == said


def test_clean_tree(repository: Path) -> None:
    """Untracked files do not make a tree dirty; a clean one is its commit."""
    (repository / "notes.txt").write_text("untracked", encoding="utf-8")
    found = worktree.read(repository)
    assert found.commit == git(repository, "rev-parse", "HEAD").strip()
    assert not found.dirty


@pytest.mark.parametrize("staged", [False, True])
def test_changed_tracked_files(repository: Path, staged: bool) -> None:
    """A tracked file that differs from the commit is named, staged or not."""
    (repository / "code.py").write_text("x = 2\n", encoding="utf-8")
    if staged:
        git(repository, "add", "code.py")
    found = worktree.read(repository)
    assert found.changed == ("code.py",)
    assert found.dirty


def test_outputs_may_change(repository: Path) -> None:
    """dvc.lock and the outputs that it lists are what a run writes, and no change of the code."""
    (repository / "reports").mkdir()
    for name in ("dvc.lock", "reports/train.json", "reports/other.json"):
        (repository / name).write_text("{}", encoding="utf-8")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message", "Run")
    lock = "stages: {train: {outs: [{path: reports/train.json, md5: abc}]}}"
    (repository / "dvc.lock").write_text(lock, encoding="utf-8")
    (repository / "reports" / "train.json").write_text("{}\n", encoding="utf-8")
    assert not worktree.read(repository).dirty
    (repository / "reports" / "other.json").write_text("{}\n", encoding="utf-8")
    assert worktree.read(repository).changed == ("reports/other.json",)


def test_a_project_inside_a_larger_repository(repository: Path) -> None:
    """Only what lies below the project's folder counts, by its path from there."""
    project = repository / "projects" / "one"
    project.mkdir(parents=True)
    (project / "params.yaml").write_text("a: 1\n", encoding="utf-8")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message", "Project")
    (repository / "code.py").write_text("x = 3\n", encoding="utf-8")
    assert not worktree.read(project).dirty
    (project / "params.yaml").write_text("a: 2\n", encoding="utf-8")
    assert worktree.read(project).changed == ("params.yaml",)


def test_without_commit_or_repository(tmp_path: Path) -> None:
    """No repository, and no commit in it, are reasons in words."""
    assert worktree.read(tmp_path).untraceable == "not a git repository"
    git(tmp_path, "init", "--quiet")
    assert worktree.read(tmp_path).untraceable == "nothing is committed yet"


def test_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without git is a reason, not an error."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert worktree.read(tmp_path).untraceable == "git is not installed"


def test_verify_names_what_differs(tmp_path: Path) -> None:
    """A file that dvc.lock does not know this way is named."""
    (tmp_path / "a").write_text("1", encoding="utf-8")
    worktree.verify(tmp_path, {"a": worktree.digest(tmp_path / "a")}, "a")
    with pytest.raises(DataError, match="a is not what"):
        worktree.verify(tmp_path, {"a": "0"}, "a")
