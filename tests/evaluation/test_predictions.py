"""What follows from predictions."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from elek.evaluation.predictions import SCORED, Predictions, calibration, ngram_errors, summarise


def predictions(
    row: list[int], position: list[int], rank: list[int], confidence: list[float] | None = None
) -> Predictions:
    count = len(row)
    return Predictions(
        np.array(row),
        np.array(position),
        np.full(count, 9),
        np.ones(count),
        np.array(rank, np.int8),
        np.array(confidence or [0.5] * count, np.float32),
    )


def scored(nats: list[float], tokens: list[int], sizes: list[int] | None = None) -> pa.Table:
    count = len(nats)
    columns = [[f"d{at}" for at in range(count)], ["s"] * count, ["tr"] * count, sizes or tokens, tokens, tokens]
    return pa.table([*columns, tokens, nats, [0] * count, [0] * count], schema=SCORED)


def test_any_order_comes_out_the_same() -> None:
    """Pieces are sorted by document and position."""
    a, b = predictions([1, 0], [1, 2], [0, 1]), predictions([0], [1], [2])
    gathered = Predictions.gather([a, b])
    assert gathered.row.tolist() == [0, 0, 1]
    assert gathered.position.tolist() == [1, 2, 1]
    assert gathered.rank.tolist() == [2, 1, 0]
    assert len(Predictions.gather([])) == 0


def test_ngram_errors_by_hand() -> None:
    """Runs lie within a document and within what was scored; one miss spoils each run that holds it."""
    found = ngram_errors(predictions([0, 0, 0, 0, 1, 1], [1, 2, 3, 9, 1, 2], [0, 3, 0, 0, 0, 0]))
    assert found["1"] == pytest.approx(1 / 6, abs=1e-5)
    assert found["2"] == pytest.approx(2 / 3, abs=1e-5)  # 1-2 and 2-3 of the first, 1-2 of the second
    assert (found["3"], found["4"]) == (1.0, None)
    assert ngram_errors(predictions([], [], [])) == dict.fromkeys("1234")


def test_calibration_by_hand() -> None:
    """Confidence of one half, right half of the time: no error; sure and always wrong: an error of one."""
    even = calibration(predictions([0, 0], [1, 2], [0, 1]))
    assert even["expected_error"] == 0
    assert even["bins"] == [{"upto": 0.5333, "predictions": 2, "confidence": 0.5, "accuracy": 0.5}]
    assert calibration(predictions([0], [1], [4], [1.0]))["expected_error"] == 1
    assert calibration(predictions([], [], [])) == {"expected_error": None, "bins": []}


def test_the_interval_holds_the_figure_and_narrows_with_more_documents() -> None:
    """Bootstrap over documents, seeded; nothing is made up for a single one."""
    generator = np.random.default_rng(3)
    few = scored(*(list(x) for x in (generator.normal(30, 6, 20), [10] * 20)))
    many = scored(*(list(x) for x in (generator.normal(30, 6, 2000), [10] * 2000)))
    widths = []
    for table in (few, many):
        figures = summarise(table)
        low, high = figures["loss_interval"]
        assert low < figures["loss"] < high
        widths.append(high - low)
        assert summarise(table) == figures
    assert widths[1] < widths[0] / 5
    assert widths[1] == pytest.approx(2 * 1.96 * 0.6 / 2000**0.5, rel=0.15)  # what the normal distribution says
    assert summarise(scored([1.0], [1]))["loss_interval"] is None


def test_documents_fall_into_buckets_by_their_whole_length() -> None:
    """The buckets stand in the order of length and have all documents."""
    buckets = summarise(scored([1.0] * 5, [1] * 5, [10, 999, 1000, 70_000, 20_000]))["by_length"]
    assert {name: bucket["documents"] for name, bucket in buckets.items()} == {
        "below 1 kB": 2,
        "below 4 kB": 1,
        "below 64 kB": 1,
        "64 kB and more": 1,
    }
    assert list(buckets) == ["below 1 kB", "below 4 kB", "below 64 kB", "64 kB and more"]
