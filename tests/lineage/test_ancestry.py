"""Lineage in both directions: what a version learned from, and which versions learned from something."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from ruamel.yaml import YAML

from elek.cli.lineage import backward, forward
from elek.dataset import DOCUMENT, Dataset, write_json, write_manifest, write_part
from elek.errors import DataError
from elek.lineage import provenance, worktree
from elek.lineage.ancestry import Descent, Version, descent, registry_is_there, trace
from elek.shards import TokenShards, write_shard, write_shards_manifest
from elek.tracking.registry import register
from elek.tracking.store import open_store
from elek.training.batches import Batches
from tests.corpus import document
from tests.registered import OUTS, commit, make_trained_project, train
from tests.vocabulary import tokenizer

CONTEXT, BATCH, STEPS = 8, 2, 5
SOURCES = {"stories": ("MIT", "en", 4), "masallar": ("CC-BY-4.0", "tr", 3)}


def write_text(folder: Path, salt: int = 0) -> None:
    """Training text of two sources in two parts, tokenized, and a report of a training that saw a little of it."""
    rows = [
        {
            "id": f"{source}/{number}",
            "text": document(lang, number + salt, sentences=4),
            "source": source,
            "license": license,
            "lang": lang,
            "url": "",
            "meta": "{}",
        }
        for source, (license, lang, count) in SOURCES.items()
        for number in range(count)
    ]
    parts = [pa.Table.from_pylist(part, schema=DOCUMENT) for part in (rows[:5], rows[5:])]
    for stage in ("split", "tokenize"):
        shutil.rmtree(folder / "data" / stage / "train", ignore_errors=True)
        (folder / "data" / stage / "train").mkdir(parents=True)
    text, shards = folder / "data" / "split" / "train", folder / "data" / "tokenize" / "train"
    digest = write_manifest(text, [write_part(text, n, part) for n, part in enumerate(parts)]).digest
    columns = [tokenizer().encode_documents(part["text"].combine_chunks()) for part in parts]
    written = [
        write_shard(shards, n, part, column) for n, (part, column) in enumerate(zip(parts, columns, strict=True))
    ]
    write_shards_manifest(shards, written, tokenizer(), parent=digest)
    write_json(
        folder / "data" / "fetch" / "sources.json",
        {
            name: {"kind": "files", "license": row[0], "lang": row[1], "role": "train", "url": ""}
            for name, row in SOURCES.items()
        },
    )
    report = json.loads((folder / "reports" / "train.json").read_text(encoding="utf-8"))
    write_json(folder / "reports" / "train.json", {**report, "steps": STEPS, "tokens": STEPS * BATCH * CONTEXT})
    lock(folder)
    commit(folder)


def lock(folder: Path) -> None:
    outs = [{"path": name, "hash": "md5", "md5": worktree.digest(folder / name)} for name in (*OUTS, "data/tokenize")]
    with (folder / "dvc.lock").open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump({"schema": "2.0", "stages": {"all": {"cmd": "x", "outs": outs}}}, file)


def make(folder: Path) -> Path:
    project = make_trained_project(folder)
    params = {"register": {"model": "elek"}, "train": {"steps": STEPS, "batch": BATCH, "model": {"context": CONTEXT}}}
    (project / "params.yaml").write_text(json.dumps(params), encoding="utf-8")
    write_text(project)
    return project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one registered version."""
    folder = make(tmp_path_factory.mktemp("traced"))
    register(folder)
    return folder


def test_every_training_document_is_recorded(project: Path) -> None:
    """Ids in the order of the shards, with licence, the digest of the text, and its tokens."""
    table = provenance.documents(project)
    assert table.schema == provenance.SCHEMA
    assert table["id"].to_pylist() == [f"{name}/{n}" for name, row in SOURCES.items() for n in range(row[2])]
    text = Dataset(project / "data" / "split" / "train").read(0)["text"][0].as_py()
    assert table["sha256"][0].as_py() == hashlib.sha256(text.encode()).digest()
    shards = TokenShards(project / "data" / "tokenize" / "train")
    assert sum(table["tokens"].to_pylist()) == len(shards)


def test_drawn_tokens_are_those_of_the_batches(project: Path) -> None:
    """Counted by going through every step's windows token by token, the slow way."""
    shards = TokenShards(project / "data" / "tokenize" / "train")
    batches, seen = Batches(shards, CONTEXT, BATCH, 1), np.zeros(len(shards), np.int64)
    for step in range(STEPS):
        for window in batches.windows(step):
            seen[window * CONTEXT : (window + 1) * CONTEXT] += 1
    table, rows = provenance.documents(project), shards.documents
    for row in range(len(rows)):
        start, length = rows["start"][row].as_py(), rows["length"][row].as_py()
        assert table["drawn"][row].as_py() == seen[start : start + length].sum()
    assert sum(table["drawn"].to_pylist()) == STEPS * BATCH * CONTEXT


def test_backward(project: Path) -> None:
    """From a version or an alias to commit, params, digests, sources with licence, and how to build it again."""
    version = trace(project, "champion")
    assert isinstance(version, Version)
    assert version.number == 1
    assert version.tags["git_commit"] == worktree.git(project, "rev-parse", "HEAD").strip()
    assert version.params["train.steps"] == str(STEPS)
    assert version.digests["data/tokenize"] == worktree.lock_outs(project)["data/tokenize"]
    assert version.sources is not None
    assert version.sources["masallar"]["license"] == "CC-BY-4.0"
    assert version.sources["masallar"]["training"]["documents"] == 3
    assert (version.rebuild.commit_here, version.rebuild.lock_here, version.rebuild.reasons) == (True, True, ())
    said = "\n".join(backward(version))
    assert "commit here: yes; its dvc.lock names this model: yes" in said
    assert "dvc repro" in said
    json.dumps(version.plain())


def test_forward(project: Path) -> None:
    """From a source or a document to the versions that learned from it, with the digest of the text they saw."""
    source, one = trace(project, "masallar"), trace(project, "stories/1")
    assert isinstance(source, Descent)
    assert isinstance(one, Descent)
    assert [(item.version, item.documents) for item in source.learned] == [(1, 3)]
    assert source.learned[0].sha256 is None
    assert one.learned[0].sha256 == provenance.documents(project)["sha256"][1].as_py().hex()
    said = "\n".join(forward("stories/1", one))
    assert "1 registered version learned from it" in said
    assert "elek version 1 @champion" in said
    json.dumps(one.plain())


def test_a_name_that_nothing_has(project: Path) -> None:
    """The nearest of versions, aliases and sources."""
    with pytest.raises(DataError, match="no source, and no document") as caught:
        trace(project, "storys")
    assert "stories" in str(caught.value.fix)


def test_a_document_that_is_not_there(project: Path) -> None:
    """The nearest may be documents too."""
    folder = project / "data" / "fetch" / "train"
    folder.mkdir(parents=True)
    part = write_part(folder, 0, Dataset(project / "data" / "split" / "train").read(0))
    write_manifest(folder, [part])
    with pytest.raises(DataError) as caught:
        trace(project, "pages/of/stories/1")
    assert "`stories/1`" in str(caught.value.fix)


def test_before_anything_is_registered(tmp_path: Path) -> None:
    """Nothing is created by asking."""
    (tmp_path / "params.yaml").write_text("{}\n", encoding="utf-8")
    with pytest.raises(DataError, match="no model is registered"):
        trace(tmp_path, "x")
    assert not registry_is_there(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


def test_text_that_is_not_what_the_lock_says(tmp_path: Path) -> None:
    """A table of the wrong documents is worse than none."""
    folder = make(tmp_path)
    outs = worktree.lock_outs(folder)
    (folder / "data" / "split" / "train" / "_manifest.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match="data/split is not what"):
        provenance.write(folder, outs, tmp_path)
    assert provenance.write(folder, {}, tmp_path) is False


def test_a_training_that_drew_otherwise(tmp_path: Path) -> None:
    """Where the reported tokens are not those of the params, nobody guesses how often a document was drawn."""
    folder = make(tmp_path)
    report = json.loads((folder / "reports" / "train.json").read_text(encoding="utf-8"))
    write_json(folder / "reports" / "train.json", {**report, "tokens": 1})
    table = provenance.documents(folder)
    assert table["drawn"].null_count == len(table)
    assert provenance.sources(folder, table)["stories"]["training"]["drawn"] is None


@pytest.mark.slow
def test_after_the_data_has_moved_on(tmp_path: Path) -> None:
    """Old versions keep telling what they saw; one from before the tables were kept is unknown, then filled in."""
    folder = make(tmp_path)
    register(folder)
    before = descent(folder, "stories/0").learned[0].sha256
    write_text(folder, salt=100)
    train(folder, seed=2, bits_per_byte=1.5)
    write_text(folder, salt=100)
    register(folder)
    found = descent(folder, "stories/0")
    assert [item.version for item in found.learned] == [2, 1]
    assert found.learned[1].sha256 == before
    assert found.learned[0].sha256 != before

    with open_store(folder, "elek") as store:
        old, new = store.entries()[1], store.entries()[0]
    tables = list((folder / "mlartifacts").rglob("artifacts/lineage"))
    assert len(tables) == 2
    for table in tables:
        shutil.rmtree(table)
    found = descent(folder, "stories/0")
    assert found.unknown == (1,)
    assert [item.version for item in found.learned] == [2]
    assert "not known of version 1" in "\n".join(forward("stories/0", found))
    register(folder)
    with open_store(folder, "elek") as store:
        assert store.artifact(new.run_id, f"lineage/{provenance.DOCUMENTS}") is not None
        assert store.artifact(old.run_id, f"lineage/{provenance.DOCUMENTS}") is None
