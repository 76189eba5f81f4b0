"""Rules looked at: margins, counts that add up, and dead rules found for the right reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.cli.rules import collect, lines
from elek.dataset import DECISION, Dataset, write_manifest, write_part
from elek.decisions import Verdict, decisions
from elek.dedup.params import DedupParams
from elek.errors import DataError
from elek.explaining.dead_rules import _limits, _stricter, dead_rules
from elek.explaining.standings import standings
from elek.explaining.survey import Survey, survey
from elek.filtering import SHARE, FilterParams, Rule, columns_for, decide, discover

QUALITY = discover()["gopher_quality"]
ROWS = {  # id, words, alphabetic words, stop words, language
    "s/good": (100, 0.95, 5, "en"),
    "s/short": (20, 0.95, 5, "en"),
    "s/bad": (10, 0.5, 0, "en"),
    "t/edge": (50, 0.8, 2, "tr"),
    "t/null": (60, None, 4, "tr"),
}


def signals(rows: dict[str, tuple[Any, ...]] = ROWS) -> pa.Table:
    """A part of `annotate`, as far as Gopher quality goes."""
    columns: dict[str, Any] = {
        f"gopher_quality.{name}": pa.array([0.0] * len(rows)).cast(kind) for name, kind in QUALITY.signals.items()
    }
    columns["gopher_quality.mean_word_length"] = pa.array([5.0] * len(rows))
    for place, name in enumerate(("words", "alphabetic_words", "stop_words")):
        kind = QUALITY.signals[name]
        columns[f"gopher_quality.{name}"] = pa.array([row[place] for row in rows.values()], kind)
    return pa.table(
        {
            "id": pa.array(list(rows), pa.string()),
            "source": pa.array([name[0] for name in rows], pa.string()),
            "language.rules": pa.array([row[3] for row in rows.values()], pa.string()),
            **columns,
        }
    )


def project(folder: Path, parts: list[pa.Table]) -> Path:
    target = folder / "data" / "annotate"
    target.mkdir(parents=True)
    write_manifest(target, [write_part(target, index, part) for index, part in enumerate(parts)])
    return folder


def params(**thresholds: Any) -> FilterParams:
    return FilterParams({"gopher_quality": thresholds})


def test_standings_have_margins() -> None:
    """The margin is positive where a document passes, negative where it fails, and in percent of the threshold."""
    found = {
        item.rule.partition(".")[2]: item for item in standings(signals().slice(2, 1), params(max_hash_ratio=None))
    }
    words = found["min_words"]
    assert (words.state, words.value, words.threshold, words.margin, words.percent) == ("fails", 10, 50, -40, -80)
    long = found["max_words"]
    assert (long.state, long.margin) == ("passes", 99_990)
    assert found["min_alphabetic_words"].margin == pytest.approx(-0.3)
    assert found["max_hash_ratio"].state == "off"
    assert found["max_hash_ratio"].margin is None


def test_a_null_signal_is_not_measured_and_equality_passes() -> None:
    """The threshold of the document's own language is the one that counts."""
    edge = {item.rule: item for item in standings(signals().slice(3, 1), params())}
    assert edge["gopher_quality.min_words"].margin == 0
    assert edge["gopher_quality.min_alphabetic_words"].threshold == 0.773
    null = {item.rule: item for item in standings(signals().slice(4, 1), params())}
    assert null["gopher_quality.min_alphabetic_words"].state == "not measured"


def test_failing_standings_are_the_decisions_failures() -> None:
    """What `elek why` marks is what `filter` records, for every row."""
    decided = decide(signals(), params())["failures"].to_pylist()
    for row, failures in enumerate(decided):
        failing = [item for item in standings(signals().slice(row, 1), params()) if item.state == "fails"]
        assert [(item.rule, item.value, item.threshold) for item in failing] == [
            (item["rule"], item["value"], item["threshold"]) for item in failures
        ]


def test_counts_over_parts(tmp_path: Path) -> None:
    """Fails, alone, reason and overlap, by language and source too, however the rows are cut into parts."""
    found = survey(project(tmp_path, [signals().slice(0, 2), signals().slice(2)]), params(), "source")
    at = found.rules.index
    assert found.documents == 5
    assert found.failing[at("gopher_quality.min_words")] == 2
    assert found.alone[at("gopher_quality.min_words")] == 1
    assert found.reason[at("gopher_quality.min_words")] == 2
    assert found.reason[at("gopher_quality.min_stop_words")] == 0
    assert found.overlaps("gopher_quality.min_stop_words")[0] == ("gopher_quality.min_alphabetic_words", 1)
    assert found.measured[at("gopher_quality.min_alphabetic_words")] == 4
    assert (found.groups["s"][""], found.groups["s"]["gopher_quality.min_words"]) == (3, 2)
    assert found.groups["t"]["gopher_quality.min_words"] == 0
    closest = found.closest["gopher_quality.min_words"]
    assert (closest.id, closest.value) == ("t/edge", 50)


verdict_rows = st.lists(st.tuples(*[st.booleans()] * 4, st.booleans()), min_size=1, max_size=30)


@settings(deadline=None, max_examples=40)
@given(verdict_rows, st.integers(0, 30))
def test_a_survey_counts_what_decisions_record(rows: list[tuple[bool, ...]], cut: int) -> None:
    """Failing, alone and reason are those of the decision table, for any verdicts, order in the text included."""
    failed, ahead = np.array([row[:4] for row in rows], bool), np.array([row[4] for row in rows], bool)
    ids, nothing = pa.chunked_array([[str(n) for n in range(len(rows))]], pa.string()), np.full(len(rows), np.nan)
    verdicts = [Verdict(f"r.{n}", failed[:, n], nothing, nothing, ahead=ahead if n == 2 else None) for n in range(4)]
    recorded = [[item["rule"] for item in row] for row in decisions(ids, verdicts)["failures"].to_pylist()]
    found = Survey()
    for part in (slice(0, cut), slice(cut, None)):
        piece = [
            Verdict(
                v.rule,
                v.failed[part],
                v.value[part],
                v.threshold[part],
                None,
                None if v.ahead is None else v.ahead[part],
            )
            for v in verdicts
        ]
        found.add(pa.chunked_array([ids.to_pylist()[part]], pa.string()), piece)
    for n in range(4):
        assert found.failing[n] == sum(f"r.{n}" in row for row in recorded)
        assert found.alone[n] == sum(row == [f"r.{n}"] for row in recorded)
        assert found.reason[n] == sum(row[:1] == [f"r.{n}"] for row in recorded)
    assert found.documents == len(rows)


def found_dead(
    tmp_path: Path, rows: dict[str, tuple[Any, ...]] = ROWS, **thresholds: Any
) -> dict[str, tuple[str, str]]:
    found = survey(project(tmp_path, [signals(rows)]), params(**thresholds))
    return {item.rule.partition(".")[2]: (item.kind, item.why) for item in dead_rules(found, params(**thresholds))}


def test_dead_rules(tmp_path: Path) -> None:
    """Off, impossible, and never fired with the nearest value: each for its own reason; a rule that fires is alive."""
    found = found_dead(tmp_path, max_hash_ratio=None, max_ellipsis_ratio=0, max_bullet_lines=1.0, min_stop_words=1)
    assert found["max_hash_ratio"][0] == found["max_ellipsis_ratio"][0] == "off"
    assert found["max_bullet_lines"][0] == "impossible"
    assert "never above 1" in found["max_bullet_lines"][1]
    assert found["max_words"][0] == "never"
    assert "the closest is 100 against 100000 (s/good)" in found["max_words"][1]
    assert "min_words" not in found
    assert "min_stop_words" not in found


def test_a_rule_that_is_alive_in_one_language_is_alive(tmp_path: Path) -> None:
    """Impossible means impossible for every language."""
    found = found_dead(tmp_path, max_bullet_lines={"default": 1.5, "tr": 0.9})
    assert found["max_bullet_lines"][0] == "never"


def test_a_signal_that_nobody_has(tmp_path: Path) -> None:
    """A rule whose signal is null in every document cannot fire, and says so."""
    rows = {name: (row[0], None, row[2], row[3]) for name, row in ROWS.items()}
    assert found_dead(tmp_path, rows)["min_alphabetic_words"][0] == "not measured"


@pytest.mark.parametrize(
    ("first", "second", "implied"),
    [
        (0.5, 0.7, "second"),
        (0.5, 0.5, "second"),
        (0.7, 0.5, "first"),
        ({"default": 0.5, "tr": 0.9}, 0.7, None),
        ({"default": 0.5, "tr": None}, 0.7, None),
        (0.5, {"default": None, "tr": 0.7}, "second"),
        (None, 0.7, None),
    ],
)
def test_implied_by_a_stricter_rule(first: Any, second: Any, implied: str | None) -> None:
    """Of two rules on one side of one signal the laxer never decides; in every language, or not at all."""
    rules = [Rule(name, "x", "above", None, "a test", SHARE) for name in ("first", "second")]
    limits = {"first": _limits(first, False), "second": _limits(second, False)}
    found = [
        rule.name
        for rule in rules
        if any(limits[rule.name].values()) and _stricter(rule, limits[rule.name], limits, rules)
    ]
    assert found == ([implied] if implied else [])


def test_the_screen(tmp_path: Path) -> None:
    """The table for people names what fires and what is dead; the plain data has the matrix."""
    folder = project(tmp_path, [signals()])
    decided = decide(signals(), params())
    kept = decided["kept"]
    copies = [
        [{"rule": "dedup.exact", "value": None, "threshold": None, "evidence": ""}] if k else []
        for k in kept.to_pylist()
    ]
    table = pa.Table.from_pylist(
        [
            {"id": i, "entered": k, "kept": False, "failures": f}
            for i, k, f in zip(decided["id"].to_pylist(), kept.to_pylist(), copies, strict=True)
        ],
        schema=decided.schema,
    )
    target = folder / "data" / "dedup"
    target.mkdir()
    write_manifest(target, [write_part(target, 0, table)], extra={"params": {"exact": True, "minhash": False}})
    found = collect(folder, params(), "lang")
    rows = {row["rule"]: row for row in found["rules"]}
    assert (rows["dedup.exact"]["documents"], rows["dedup.exact"]["fails"]) == (3, 3)
    assert "dedup.minhash" not in rows
    assert len(found["matrix"]["documents"]) == len(found["matrix"]["rules"])
    text = "\n".join(lines(found))
    assert "gopher_quality.min_words" in text
    assert "dead rules" in text
    assert " en " in text


@pytest.mark.parametrize("url", [False, True])
def test_rules_of_later_stages(tmp_path: Path, url: bool) -> None:
    """Every rule that `dedup` asks is counted, `dedup.url` too; one that is off or that nothing fails is dead."""
    folder = project(tmp_path, [signals()])
    copy = {"rule": "dedup.url", "value": None, "threshold": None, "evidence": ""}
    rows = [
        {"id": name, "entered": True, "kept": not (url and at), "failures": [copy] * (url and at)}
        for at, name in enumerate(["s/good", "s/short"])
    ]
    (folder / "data" / "dedup").mkdir()
    part = write_part(folder / "data" / "dedup", 0, pa.Table.from_pylist(rows, schema=DECISION))
    write_manifest(folder / "data" / "dedup", [part], extra={"params": DedupParams(url=url).model_dump(mode="json")})
    found = collect(folder, params())
    fails = {row["rule"]: row["fails"] for row in found["rules"] if row["stage"] == "dedup"}
    assert (
        fails == {"dedup.url": 1, "dedup.exact": 0, "dedup.minhash": 0}
        if url
        else {"dedup.exact": 0, "dedup.minhash": 0}
    )
    dead = {row["rule"]: row["kind"] for row in found["dead"] if row["rule"].startswith("dedup.")}
    assert dead == {"dedup.exact": "never", "dedup.minhash": "never"} | ({} if url else {"dedup.url": "off"})


def test_before_anything_was_measured(tmp_path: Path) -> None:
    """The error says what to run."""
    with pytest.raises(DataError, match="nothing has been measured"):
        survey(tmp_path, params())


def test_only_stored_columns_are_read(tmp_path: Path) -> None:
    """A dataset without any text is enough."""
    folder = project(tmp_path, [signals().select([*columns_for(params()), "source"])])
    assert "text" not in Dataset(folder / "data" / "annotate").read(0).column_names
    assert survey(folder, params()).documents == 5
