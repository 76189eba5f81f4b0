"""The classifier: features, training, files, and what is told of bad input."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.classifier import kernel, metrics
from elek.classifier.labelled import Labelled, read
from elek.classifier.model import HEADER, WEIGHTS, Model, Shape, load
from elek.classifier.settings import ModelSettings
from elek.classifier.training import TrainingParams, platt, settings_for, train
from elek.errors import DataError, ElekError, ParamsError, SourceError
from elek.filtering import FilterSettings
from elek.kernels import buffers
from elek.params import parse
from tests.classifier import documents

SHAPE = Shape(bits=12, letters=(2, 3), words=2)
SMALL = TrainingParams(bits=12, epochs=3, max_bytes=2000)


def features(text: str, dotless: bool = False) -> list[int]:
    extract: Any = kernel.extract
    room: Any = kernel._room
    data, offsets = buffers(pa.array([text], pa.large_string()))
    out = np.zeros(room(len(data), SHAPE.array()), np.int64)
    word = np.empty(kernel.MAX_WORD + 2, np.int64)
    count = extract(data, offsets[0], offsets[1], dotless, kernel.LOWER, SHAPE.array(), word, out)
    result: list[int] = out[:count].tolist()
    return result


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Labelled:
    return read([documents.write(tmp_path_factory.mktemp("data") / "rows.jsonl", 400, lang="en")])


@pytest.fixture(scope="module")
def trained(data: Labelled, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("model") / "quality"
    _, digest = train(data, "quality", SMALL, folder, "CC0-1.0")
    return folder, digest


def test_features_are_those_of_the_words() -> None:
    """A word of m letters has m+1 pairs, m triples with its ends, and each word and pair of words counts once."""
    assert len(features("abc")) == 4 + 3 + 1
    assert len(features("abc de")) == 4 + 3 + 1 + 3 + 2 + 2
    assert features("abc, de!") == features("  ABC\nde")
    assert features("") == features(" ,.!? ") == features("🙂") == []
    assert len(set(features("abc"))) == 8


def test_case_folding_knows_turkish() -> None:
    """I is ı's capital in Turkish and i's elsewhere; İ is i's in both; marks that combine are no letters."""
    assert features("IŞIK DİL", dotless=True) == features("ışık dil")
    assert features("THIS İS") == features("this is")
    assert features("sık") != features("sik")
    assert features("a\u200bb") == features("ab")


@settings(deadline=None, max_examples=40)
@given(st.text(max_size=60))
def test_any_text_has_features_within_its_room(text: str) -> None:
    """No text writes past the room that is kept for it, and every feature names a weight."""
    text = text.encode("utf-8", "ignore").decode()
    assert all(0 <= feature < 2 << SHAPE.bits for feature in features(text))


def test_the_same_data_gives_the_same_bytes(data: Labelled, trained: tuple[Path, str], tmp_path: Path) -> None:
    """Training again writes equal files; another seed or another option does not."""
    folder, digest = trained
    _, again = train(data, "quality", SMALL, tmp_path / "again", "CC0-1.0")
    assert again == digest
    assert (tmp_path / "again" / WEIGHTS).read_bytes() == (folder / WEIGHTS).read_bytes()
    assert (tmp_path / "again" / HEADER).read_bytes() == (folder / HEADER).read_bytes()
    _, other = train(data, "quality", SMALL.model_copy(update={"seed": 2}), tmp_path / "other", "CC0-1.0")
    assert other != digest


def test_it_learns(trained: tuple[Path, str]) -> None:
    """Text that it has not seen is told apart, and what the header says of that was measured on held-out text."""
    model = load(*trained).expect("quality")
    texts = [documents.text(row % 2 == 1, 10_000 + row, 20) for row in range(100)]
    probability = model.probabilities(pa.array(texts, pa.large_string()), pa.array(["en"] * 100))
    assert ((probability > 0.5) == (np.arange(100) % 2 == 1)).mean() > 0.95
    assert model.header["held_out"]["auc"] > 0.9
    assert model.header["data"]["license"] == "CC0-1.0"
    assert sum(model.header["data"]["documents"].values()) == 400 - model.header["data"]["repeated"]
    assert str(trained[0].parent) not in (trained[0] / HEADER).read_text(encoding="utf-8")


def test_rows_do_not_depend_on_their_neighbours(trained: tuple[Path, str]) -> None:
    """Alone, in a batch, in a slice: the same probability; null and empty text are safe."""
    model = load(*trained)
    texts = pa.array(["x", documents.text(True, 1), None, "", "🙂 " * 50, "y"], pa.large_string()).slice(1, 4)
    langs = pa.array(["en", "tr", "en", "tr"])
    together = model.probabilities(texts, langs)
    alone = [model.probabilities(texts.slice(row, 1), langs.slice(row, 1))[0] for row in range(4)]
    assert together.tolist() == alone
    assert together[1] == together[2] == together[3]


def test_only_the_beginning_of_a_long_text_is_read(trained: tuple[Path, str]) -> None:
    """What stands behind `max_bytes` changes nothing."""
    model = load(*trained)
    long = (documents.text(True, 1, 50) + " ") * 50
    texts = pa.array([long, long + documents.text(False, 2, 500)], pa.large_string())
    first, second = model.probabilities(texts, pa.array(["en", "en"]))
    assert first == second


def test_numpy_reads_the_weights_without_pickle(trained: tuple[Path, str]) -> None:
    """The file is plain arrays: one of float32, and nothing that could be run."""
    with np.load(trained[0] / WEIGHTS, allow_pickle=False) as arrays:
        assert list(arrays) == ["weights"]
        assert arrays["weights"].dtype == np.float32


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda folder: shutil.rmtree(folder), "there is no model"),
        (lambda folder: (folder / WEIGHTS).unlink(), "has no weights"),
        (lambda folder: (folder / WEIGHTS).write_bytes(b"PK"), "not those of the header"),
        (lambda folder: (folder / HEADER).write_text("{}", encoding="utf-8"), "not a header"),
        (lambda folder: (folder / HEADER).write_text("{", encoding="utf-8"), "not a header"),
        (lambda folder: (folder / HEADER).write_text('{"format": "elek-classifier-1"}', encoding="utf-8"), "no task"),
    ],
)
def test_a_damaged_model_is_named(trained: tuple[Path, str], tmp_path: Path, harm: Any, message: str) -> None:
    """Missing, torn or altered files are told with the place and the remedy, never read."""
    folder = tmp_path / "model"
    shutil.copytree(trained[0], folder)
    load(folder)
    harm(folder)
    with pytest.raises(DataError, match=message) as error:
        load(folder)
    assert error.value.fix


def test_another_model_than_params_name_is_refused(trained: tuple[Path, str]) -> None:
    """The digest in params is compared, and the right one is told; a model of another task is refused too."""
    folder, digest = trained
    with pytest.raises(DataError, match=digest):
        load(folder, "0" * 64)
    with pytest.raises(DataError, match="trained for quality"):
        load(folder, digest).expect("toxicity")


def test_settings_name_folder_and_digest_together() -> None:
    """A path without a digest would let a changed model pass DVC by: it is refused."""
    with pytest.raises(ParamsError, match="belong together"):
        parse("annotate.settings", {"quality_model": {"model": "models/q"}}, FilterSettings)
    assert ModelSettings().model is None
    assert "sha256: " + "a" * 64 in settings_for("quality", "models/q", "a" * 64)


def test_a_folder_of_something_else_is_not_overwritten(data: Labelled, tmp_path: Path) -> None:
    """`--out` on a folder with other files is an error, and they stay."""
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(DataError, match="not overwritten"):
        train(data, "quality", SMALL, tmp_path, "CC0-1.0")
    assert (tmp_path / "thesis.txt").is_file()


@pytest.mark.parametrize(
    ("arguments", "message", "kind"),
    [
        ({"label_column": "lable"}, "no column `lable`", SourceError),
        ({"positive": ["yes"]}, "no row is labelled yes", ParamsError),
    ],
)
def test_wrong_columns_and_labels_are_told(tmp_path: Path, arguments: Any, message: str, kind: type[ElekError]) -> None:
    """The error names what is there."""
    path = documents.write(tmp_path / "rows.jsonl", 10)
    with pytest.raises(kind, match=message) as error:
        read([path], **arguments)
    assert error.value.fix


def test_bad_rows_and_files_are_told(tmp_path: Path) -> None:
    """A missing file, an empty one, a row without a label, and a class with too few documents."""
    with pytest.raises(DataError, match="no such file"):
        read([tmp_path / "nothing.jsonl"])
    (tmp_path / "empty.jsonl").write_text("", encoding="utf-8")
    with pytest.raises(DataError, match="no row could be read: the file is empty"):
        read([tmp_path / "empty.jsonl"])
    rows = '{"text": "a", "label": 1}\n{"text": "b"}\n'
    (tmp_path / "hole.jsonl").write_text(rows, encoding="utf-8")
    with pytest.raises(DataError, match="without `label`"):
        read([tmp_path / "hole.jsonl"])
    few = read([documents.write(tmp_path / "few.jsonl", 40, lang="en")])
    with pytest.raises(DataError, match="50 are the least"):
        train(few, "toxicity", SMALL, tmp_path / "model", "CC0-1.0")
    assert not (tmp_path / "model").exists()


def test_formats_and_repetitions(tmp_path: Path) -> None:
    """Parquet and CSV give the same rows; equal rows count once; a language is the column's, or one for all."""
    texts, labels = ["one line", "one line", "two", "three"], ["high", "high", "low", "low"]
    pq.write_table(pa.table({"text": texts, "label": labels, "lang": ["en"] * 4}), tmp_path / "a.parquet")
    (tmp_path / "a.csv").write_text(
        "text,label,lang\n" + "".join(f"{t},{v},en\n" for t, v in zip(texts, labels, strict=True)), encoding="utf-8"
    )
    for name in ("a.parquet", "a.csv"):
        found = read([tmp_path / name], positive=["HIGH"])
        assert found.text.to_pylist() == ["one line", "two", "three"]
        assert found.positive.tolist() == [True, False, False]
        assert found.repeated == 1
        assert found.lang.to_pylist() == ["en"] * 3
    assert read([documents.write(tmp_path / "b.jsonl", 4)], lang="tr").lang.to_pylist() == ["tr"] * 4


def test_calibration_turns_logits_into_frequencies() -> None:
    """Overconfident logits are drawn back to how often they are right; logits that say nothing stay harmless."""
    draw = np.random.Generator(np.random.PCG64(1))
    truth = draw.normal(0, 2, 4000)
    positive = draw.random(4000) < 1 / (1 + np.exp(-truth))
    slope, intercept = platt(truth * 5, positive)
    assert math.isclose(slope, 0.2, rel_tol=0.15)
    assert abs(intercept) < 0.2
    assert platt(-truth, positive)[0] == 0.01


def test_metrics_on_a_case_worked_out_by_hand() -> None:
    """Confusion, rates and AUC; strictly above counts; a rate of nothing is null."""
    scores, positive = np.array([0.9, 0.5, 0.6, 0.1]), np.array([True, True, False, False])
    found = metrics.summary(scores, positive)
    counts = ("true_positives", "false_positives", "false_negatives", "true_negatives")
    assert [found[name] for name in counts] == [1, 1, 1, 1]
    assert (found["precision"], found["recall"], found["f1"], found["auc"]) == (0.5, 0.5, 0.5, 0.75)
    assert metrics.at(scores, np.zeros(4, bool), 0.95)["precision"] is None
    assert metrics.auc(scores, np.ones(4, bool)) is None


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=2, max_size=12))
def test_auc_is_the_share_of_pairs_in_order(pairs: list[tuple[int, bool]]) -> None:
    """Ranks give what comparing every pair gives."""
    scores, positive = np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs])
    above = [(a > b) + (a == b) / 2 for a in scores[positive] for b in scores[~positive]]
    assert metrics.auc(scores, positive) == (round(float(np.mean(above)), 4) if above else None)


def test_the_header_round_trips(trained: tuple[Path, str]) -> None:
    """What is loaded is what was written, and one process reads a model once."""
    model = load(*trained)
    assert isinstance(model, Model)
    assert model.header == json.loads((trained[0] / HEADER).read_text(encoding="utf-8"))
    assert load(*trained) is model
