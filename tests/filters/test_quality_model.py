"""The filter that reads a trained model of quality."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from elek.classifier.labelled import read
from elek.classifier.settings import ModelSettings
from elek.classifier.training import TrainingParams, train
from elek.errors import DataError
from elek.filtering import Batch, FilterParams, FilterSettings, decide
from elek.filters.quality_model import QualityModelFilter
from tests.classifier import documents


def batch() -> Batch:
    texts = [documents.text(row % 2 == 1, 1000 + row, 30) for row in range(10)]
    same = pa.array(["en"] * len(texts))
    return Batch(same, pa.array(texts, pa.large_string()), same, same, same, same)


def table(found: QualityModelFilter) -> pa.Table:
    signals = {f"quality_model.{name}": array for name, array in found.measure(batch()).items()}
    return pa.table({"id": [str(row) for row in range(10)], "language.rules": batch().lang, **signals})


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> ModelSettings:
    folder = tmp_path_factory.mktemp("quality")
    rows = read([documents.write(folder / "rows.jsonl", 300, lang="en")])
    _, digest = train(rows, "quality", TrainingParams(bits=12, epochs=3), folder / "model", "CC0-1.0")
    return ModelSettings(model=str(folder / "model"), sha256=digest)


def test_without_a_model_nothing_is_measured_and_nothing_dropped() -> None:
    """The signal is null, and no threshold fails it."""
    found = table(QualityModelFilter())
    assert found["quality_model.score"].null_count == 10
    assert (
        decide(found, FilterParams.model_validate({"quality_model": {"min_score": 0.5}}))["kept"].to_pylist()
        == [True] * 10
    )


def test_the_model_decides_where_params_say_so(settings: ModelSettings) -> None:
    """Good text stays and bad text goes at a threshold; without one the score is only a signal."""
    found = table(QualityModelFilter(settings))
    kept = decide(found, FilterParams.model_validate({"quality_model": {"min_score": 0.5}}))["kept"].to_pylist()
    assert kept == [row % 2 == 1 for row in range(10)]
    assert all(decide(found, FilterParams.model_validate({"quality_model": {}}))["kept"].to_pylist())


def test_params_bring_the_model_to_the_filter(settings: ModelSettings) -> None:
    """`annotate.settings.quality_model` reaches `measure`; a digest that does not fit ends the run."""
    raw = {"quality_model": {"model": settings.model, "sha256": settings.sha256}}
    found = FilterSettings.model_validate(raw).filters()["quality_model"]
    assert found.measure(batch())["score"].null_count == 0
    raw["quality_model"]["sha256"] = "0" * 64
    with pytest.raises(DataError, match="not the one that params"):
        FilterSettings.model_validate(raw).filters()["quality_model"].measure(batch())


def test_a_model_of_toxicity_is_refused(settings: ModelSettings, tmp_path: Path) -> None:
    """A model says what it was trained for."""
    rows = read([documents.write(tmp_path / "rows.jsonl", 300, lang="en")])
    _, digest = train(rows, "toxicity", TrainingParams(bits=10, epochs=1), tmp_path / "model", "CC0-1.0")
    with pytest.raises(DataError, match="trained for toxicity"):
        QualityModelFilter(ModelSettings(model=str(tmp_path / "model"), sha256=digest)).measure(batch())
