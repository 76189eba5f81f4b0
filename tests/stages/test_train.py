"""The stage `train`."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from elek.model.files import load_model
from elek.training import checkpoint
from stages import tokenize, train, vocab
from tests.vocabulary import write_project

TRAIN = """\
train:
  steps: 12
  batch: 4
  threads: 1
  precision: fp32
  model: {context: 16, layers: 2, width: 32, heads: 2}
  validation: {every: 6, windows: 8}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_project(tmp_path)
    with (tmp_path / "params.yaml").open("a", encoding="utf-8", newline="\n") as file:
        file.write(TRAIN)
    monkeypatch.chdir(tmp_path)
    vocab.main()
    tokenize.main()
    return tmp_path


def test_train_writes_model_history_and_metrics(project: Path) -> None:
    """All that the next stages read; a second run gives the same bytes, and no checkpoint is left."""
    train.main()
    out = project / "data" / "train"
    assert sorted(path.name for path in out.iterdir()) == ["config.json", "history.csv", "model.safetensors"]
    metrics = json.loads((project / "reports" / "train.json").read_text(encoding="utf-8"))
    model = load_model(out)
    assert model.config.vocab_size == 700
    assert metrics["parameters"] == model.config.parameters
    assert (metrics["steps"], metrics["tokens"]) == (12, 12 * 4 * 16)
    assert 0 < metrics["validation_bits_per_byte"] < metrics["validation_loss"]
    history = (out / "history.csv").read_text(encoding="utf-8").splitlines()
    assert history[0] == "step,tokens,train_loss,validation_loss,learning_rate,grad_norm"
    assert history[-1].startswith("12,768,")
    timing = json.loads((project / ".cache" / "timings" / "train.json").read_text(encoding="utf-8"))
    assert timing["tokens_per_second"] >= 0
    assert timing["mfu"] >= 0  # on a busy machine so little that it is rounded to nothing
    assert (metrics["skipped_steps"], metrics["spikes"]) == (0, [])
    curve = (project / ".cache" / "timings" / "train.csv").read_text(encoding="utf-8").splitlines()
    assert curve[0] == history[0] + ",tokens_per_second,mfu,time"
    assert len(curve) == len(history)
    assert not list((project / ".ckpt").glob("*"))
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    train.main()
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_too_little_text_ends_with_a_remedy(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 4, nothing that looks like a model, and what to change."""
    text = (project / "params.yaml").read_text(encoding="utf-8").replace("context: 16", "context: 4096")
    (project / "params.yaml").write_text(text, encoding="utf-8", newline="\n")
    with pytest.raises(SystemExit) as end:
        train.main()
    assert end.value.code == 4
    told = capsys.readouterr().err
    assert "less than one window of 4096" in told
    assert "train.model.context" in told
    assert not (project / "data" / "train").exists()


def test_a_diverging_run_ends_with_the_documents_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 7, and the ids of the documents in the batch."""
    with (project / "params.yaml").open("a", encoding="utf-8", newline="\n") as file:
        file.write("  optimizer: {name: adamw, learning_rate: 1e30}\n")
    with pytest.raises(SystemExit) as end:
        train.main()
    assert end.value.code == 7
    told = capsys.readouterr().err
    assert "of step" in told
    assert "documents of its batch: " in told
    assert not (project / "data" / "train").exists()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda content: content[: len(content) // 2], "bytes"),
        (lambda content: content[:-1] + bytes([content[-1] ^ 1]), "SHA-256"),
    ],
)
def test_a_damaged_shard_is_never_trained_on(
    project: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[bytes], bytes], said: str
) -> None:
    """Truncated, or with one bit turned: exit code 4, the shard's name, and nothing that looks like a model."""
    shard = project / "data" / "tokenize" / "train" / "shard-00000.arrow"
    shard.write_bytes(damage(shard.read_bytes()))
    with pytest.raises(SystemExit) as end:
        train.main()
    assert end.value.code == 4
    told = capsys.readouterr().err
    assert "shard-00000.arrow" in told
    assert not (project / "data" / "train").exists()


@pytest.mark.parametrize("split", ["train", "validation"])
def test_shards_of_another_vocabulary_are_refused(
    project: Path, capsys: pytest.CaptureFixture[str], split: str
) -> None:
    """Even of one size, and of one split alone: exit code 4, and how to mend it."""
    path = project / "data" / "tokenize" / split / "_manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["tokenizer"]["sha256"] = "0" * 64
    path.write_text(json.dumps(manifest), encoding="utf-8", newline="\n")
    with pytest.raises(SystemExit) as end:
        train.main()
    assert end.value.code == 4
    told = capsys.readouterr().err
    assert "the shards were made with the vocabulary 000000000000…" in told
    assert str(path.parent) in told


def test_a_full_disk_at_a_checkpoint_ends_with_a_remedy(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 7, no model, and the checkpoint before it is what the next run goes on from: to the same bytes."""
    with (project / "params.yaml").open("a", encoding="utf-8", newline="\n") as file:
        file.write("  checkpoint_every: 4\n")
    write = checkpoint._write

    def full(path: Path, content: bytes) -> None:
        if "00000008" in path.parent.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "_write", full)
        with pytest.raises(SystemExit) as end:
            train.main()
    assert end.value.code == 7
    assert "the checkpoint of step 8 could not be written: No space left" in capsys.readouterr().err
    assert not (project / "data" / "train").exists()
    train.main()
    assert "going on from the checkpoint of step 4" in capsys.readouterr().err
