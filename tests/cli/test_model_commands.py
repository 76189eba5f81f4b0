"""`elek explain`, and a masked model from its stages to `elek fill`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from elek.cli import app
from elek.errors import DataError, ParamsError
from elek.model.files import load_config
from stages import evaluate, tokenize, train, vocab
from tests.vocabulary import write_project

TRAIN = """\
train:
  objective: masked
  masking: {whole_words: true}
  steps: 6
  batch: 4
  threads: 1
  precision: fp32
  model: {depth: 1, context: 16, document_masking: true}
  validation: {every: 6, windows: 8}
"""


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a masked model, trained and evaluated."""
    folder = tmp_path_factory.mktemp("masked")
    write_project(folder)
    (folder / "dvc.yaml").write_text("{}\n", encoding="utf-8")
    with (folder / "params.yaml").open("a", encoding="utf-8", newline="\n") as file:
        file.write(TRAIN)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for stage in (vocab, tokenize, train, evaluate):
            stage.main()
    return folder


def run(*arguments: str) -> str:
    """What `elek …` prints; its error is raised."""
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_the_stages_of_a_masked_model(masked: Path) -> None:
    """Its files are those of every model, its figures are called pseudo; its samples are filled masks."""
    config = load_config(masked / "data" / "train")
    assert (config.objective, config.layers, config.width, config.heads, config.depth) == ("masked", 1, 64, 1, 1)
    trained = json.loads((masked / "reports" / "train.json").read_text(encoding="utf-8"))
    assert not {"train_loss", "validation_loss", "validation_bits_per_byte"} & trained.keys()
    assert trained["validation_bits_per_byte_of_hidden_pieces"] > 0
    metrics = json.loads((masked / "reports" / "evaluate.json").read_text(encoding="utf-8"))
    assert metrics["validation"]["pseudo_bits_per_byte"] > 0
    assert set(metrics["validation"]["by_lang"]) == {"en", "tr"}
    assert metrics["evaluation"]["pseudo_loss"] is None
    samples = json.loads((masked / "data" / "evaluate" / "samples.json").read_text(encoding="utf-8"))
    assert [sample["prompt"] for sample in samples] == ["The farmer [MASK]", "Köyün [MASK]"]


def test_fill_shows_the_likeliest(masked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For people a table, for programs JSON; for a text without a mask the remedy."""
    monkeypatch.chdir(masked)
    text = "The [MASK] and the [MASK]."
    found = json.loads(run("fill", text, "--top-k", "3", "--json"))
    assert [len(mask) for mask in found["masks"]] == [3, 3]
    assert found["text"] == f"The{found['masks'][0][0]['piece']} and the{found['masks'][1][0]['piece']}."
    assert found["text"] in run("fill", text)
    (word,) = json.loads(run("fill", "The [MASK].", "--top-k", "1", "--max-pieces", "3", "--json"))["masks"][0]
    assert word["piece"].strip().isalnum()
    with pytest.raises(DataError, match="nothing is masked"):
        run("fill", "The farmer")
    with pytest.raises(ParamsError, match="a masked model cannot continue a text"):
        run("generate", "The farmer")


def test_explain_tells_costs_and_what_was_derived(masked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parameters are the trained model's own; time is told only where a peak was measured."""
    monkeypatch.chdir(masked)
    timings = masked / ".cache" / "timings" / "train.json"
    timings.unlink()
    found = json.loads(run("explain", "--json"))
    config = load_config(masked / "data" / "train")
    assert sum(found["parameters"].values()) == config.parameters
    assert found["shape"]["width"] == 64
    assert {"width", "layers", "heads", "ffn"} <= set(found["derived"])
    assert found["shape"]["learning_rate"] == 5.2e-3
    assert (found["tokens"], found["precision"], found["time"]) == (6 * 4 * 16, "fp32", None)
    assert found["epochs"] > 0
    assert "no training has measured" in run("explain")
    timings.write_text('{"peak_flops_per_second": 1e9, "mfu": 0.5}', encoding="utf-8")
    minutes = found["flops"] / 5e8 / 60
    assert f"{minutes:.1f} min at the 50% that the last run reached" in run("explain")


def test_explain_takes_any_file(tmp_path: Path) -> None:
    """Of another folder, before anything ran there; a wrong key is told."""
    file = tmp_path / "large.yaml"
    file.write_text("vocab: {size: 1000}\ntrain: {model: {depth: 2}}\n", encoding="utf-8")
    found = json.loads(run("explain", "--params", str(file), "--json"))
    assert (found["shape"]["vocab_size"], found["shape"]["width"], found["epochs"]) == (1000, 128, None)
    file.write_text("train: {model: {dept: 2}}\n", encoding="utf-8")
    with pytest.raises(ParamsError, match=r"unknown key `train\.model\.dept`"):
        run("explain", "--params", str(file))
    with pytest.raises(ParamsError, match=r"there is no none\.yaml"):
        run("explain", "--params", str(tmp_path / "none.yaml"))
    (tmp_path / "data" / "tokenize" / "train").mkdir(parents=True)
    (tmp_path / "data" / "tokenize" / "train" / "_manifest.json").write_text("{", encoding="utf-8")
    file.write_text("{}\n", encoding="utf-8")
    with pytest.raises(DataError, match="damaged"):
        run("explain", "--params", str(file))
