"""Deduplication as a whole, against a plain-Python reference."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.dataset import Dataset, write_json
from elek.dedup.decisions import decide, deduplicate
from elek.dedup.params import DedupParams, MinHashParams
from elek.errors import DataError, ParamsError
from tests.dedup.project import Row, edited, plain_jaccard, prose, row, seeded, write_project


def run(
    folder: Path, parts: list[list[Row]], params: DedupParams | None = None, settled: int = 0, **options: Any
) -> dict[str, Row]:
    """Decisions by id."""
    params = params or DedupParams()
    datasets = write_project(folder / "data", parts, **options)
    scratch = folder / "scratch"
    scratch.mkdir()
    if settled:
        entered = datasets[2].read_all(["kept"])["kept"].to_numpy()
        outcome = decide(*datasets[:2], entered, params, scratch, settled=settled)
    else:
        outcome = deduplicate(*datasets, params, scratch)
    result: dict[str, Row] = {}
    start = 0
    for index, part in enumerate(datasets[1].parts):
        table = outcome.part(datasets[1].read(index, ["id"])["id"], start, params)
        result |= {item["id"]: item for item in table.to_pylist()}
        start += part.rows
    return result


def corpus(seed: int, families: int = 40) -> list[Row]:
    """Families of near-duplicates from almost equal to barely related, and strangers."""
    rng = seeded(seed)
    rows = []
    for family in range(families):
        base = prose(rng, rng.randrange(60, 300))
        rows.append(row(f"{family:03}-0", " ".join(base)))
        for member in range(1, rng.randrange(1, 5)):
            edits = rng.randrange(0, len(base) // 10)
            rows.append(row(f"{family:03}-{member}", " ".join(edited(rng, base, edits))))
    return rows


def test_against_exact_jaccard(tmp_path: Path) -> None:
    """What is dropped is at least as similar as the threshold to a survivor, by the very figure; little is missed."""
    rows = corpus(1, families=120)
    text = {r["id"]: r["text"] for r in rows}
    decided = run(tmp_path, [rows])
    similar = {
        pair: jaccard
        for pair in combinations(sorted(text), 2)
        if pair[0][:3] == pair[1][:3] and (jaccard := plain_jaccard(text[pair[0]], text[pair[1]])) >= 0.5
    }
    dropped = {id: d for id, d in decided.items() if not d["kept"]}
    for id, decision in dropped.items():
        survivor = decision["survivor"]
        assert decided[survivor]["kept"]
        assert survivor < id
        failure = decision["failures"][-1]
        assert failure["rule"] == "dedup.minhash"
        assert failure["threshold"] == 0.8
        assert failure["evidence"] == f"duplicate of {survivor}"
        assert failure["value"] == plain_jaccard(text[id], text[survivor]) >= 0.8
    kept = {id for id, decision in decided.items() if decision["kept"]}
    missed = [pair for pair, jaccard in similar.items() if jaccard >= 0.8 and set(pair) <= kept]
    assert len(dropped) > 50
    assert len(missed) <= 0.01 * len(dropped)
    apart = [pair for pair in similar if decided[pair[0]]["cluster"] != decided[pair[1]]["cluster"]]
    assert len(apart) <= 0.02 * len(similar)
    assert all(decision["cluster"][:3] == id[:3] for id, decision in decided.items())


@settings(deadline=None, max_examples=8)
@given(st.data())
def test_layout_makes_no_difference(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Any order of documents and any cut into parts: the same decisions."""
    rows = corpus(2, families=12)
    expected = run(tmp_path_factory.mktemp("whole"), [rows])
    shuffled = data.draw(st.permutations(rows))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=4)))
    parts = [shuffled[a:b] for a, b in zip([0, *cuts], [*cuts, len(rows)], strict=True)]
    assert run(tmp_path_factory.mktemp("cut"), parts) == expected


@settings(deadline=None, max_examples=5)
@given(st.data())
def test_month_by_month_is_as_all_at_once(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """What is new against what was kept of the old: decided as together with all of the old, which ranks first."""
    rows = [r | {"source": "new"} for r in corpus(3, families=10)]
    old = data.draw(st.lists(st.sampled_from(rows), unique_by=lambda r: r["id"], min_size=1))
    old = [r | {"id": f"{r['id']} old", "source": "old"} for r in old]  # and the same ones are in the new, too
    new = data.draw(st.lists(st.sampled_from(rows), unique_by=lambda r: r["id"], min_size=1))
    once = run(
        tmp_path_factory.mktemp("once"), [[*new, *old, row("-", "", "old")]], DedupParams(source_priority=("old",))
    )
    stays = [r for r in old if once[r["id"]]["kept"]]
    assert {r["id"] for r in stays} == {id for id, d in run(tmp_path_factory.mktemp("old"), [old]).items() if d["kept"]}
    later = run(tmp_path_factory.mktemp("new"), [new, stays], settled=len(stays))
    for r in new:
        one, other = once[r["id"]], later[r["id"]]
        assert one["kept"] == other["kept"]
        assert one["survivor"] == other["survivor"]
        # A copy of an old document that was dropped itself is only similar to what was kept in its place.
        assert one["failures"][-1:] == other["failures"][-1:] or one["failures"][0]["rule"] == "dedup.exact"


def test_survivor_is_of_the_most_trusted_source(tmp_path: Path) -> None:
    """Source first, then id; unnamed sources last."""
    text = " ".join(prose(seeded(1), 50))
    rows = [row("a", text, "forum"), row("b", text, "book"), row("c", text, "book"), row("d", text, "web")]
    decided = run(tmp_path, [rows[:2], rows[2:]], DedupParams(source_priority=("web", "book")))
    assert [id for id in decided if decided[id]["kept"]] == ["d"]
    assert {decided[id]["survivor"] for id in "abc"} == {"d"}
    assert decided["d"]["survivor"] is None
    assert {decision["cluster"] for decision in decided.values()} == {"a"}


def test_chain_drops_only_what_is_similar_to_a_survivor(tmp_path: Path) -> None:
    """Of a ~ b ~ c with a and c unlike, b falls to a, c stays, and all three are one cluster."""
    words = prose(seeded(4), 200)
    a, b, c = (" ".join(words[shift : shift + 160]) for shift in (0, 14, 28))
    assert plain_jaccard(a, b) >= 0.8 <= plain_jaccard(b, c)
    assert plain_jaccard(a, c) < 0.8
    decided = run(tmp_path, [[row("a", a), row("b", b), row("c", c)]])
    assert [decided[id]["kept"] for id in "abc"] == [True, False, True]
    assert decided["b"]["survivor"] == "a"
    assert {decision["cluster"] for decision in decided.values()} == {"a"}


def test_copy_of_a_dropped_document(tmp_path: Path) -> None:
    """All failing rules are told: whose copy it is, and who stays in the place of both."""
    base = prose(seeded(5), 200)
    near = " ".join([*base[:-1], "other"])
    decided = run(tmp_path, [[row("a", " ".join(base)), row("b", near), row("c", near.upper())]])
    assert [failure["rule"] for failure in decided["c"]["failures"]] == ["dedup.exact", "dedup.minhash"]
    assert [failure["evidence"] for failure in decided["c"]["failures"]] == ["duplicate of b", "duplicate of a"]
    assert decided["c"]["failures"][1]["value"] == plain_jaccard(" ".join(base), near)
    assert decided["c"]["survivor"] == decided["b"]["survivor"] == "a"


def test_short_and_empty_documents(tmp_path: Path) -> None:
    """Under five words only an equal text is a duplicate; texts without words are equal."""
    texts = {
        "a": "Yes, of course",
        "b": "yes of COURSE!",
        "c": "yes of corse",
        "d": "",
        "e": "…",
        "f": "IŞIK",
        "g": "ışık",
    }
    decided = run(tmp_path, [[row(id, text) for id, text in texts.items()]])
    assert [id for id in decided if not decided[id]["kept"]] == ["b", "e", "g"]
    assert [failure["rule"] for failure in decided["b"]["failures"]] == ["dedup.exact"]
    assert decided["b"]["failures"][0]["value"] is None
    assert [decided[id]["cluster"] for id in "abcdefg"] == list("aacddff")


def test_only_documents_that_filter_kept_enter(tmp_path: Path) -> None:
    """A dropped document neither survives nor drops another, and has no cluster."""
    text = " ".join(prose(seeded(6), 50))
    decided = run(tmp_path, [[row("a", text, kept=False), row("b", text)]])
    assert [decided[id]["entered"] for id in "ab"] == [False, True]
    assert [decided[id]["kept"] for id in "ab"] == [False, True]
    assert decided["a"]["failures"] == []
    assert [decided[id]["cluster"] for id in "ab"] == [None, "b"]


@pytest.mark.parametrize(
    ("changes", "dropped"),
    [({}, "bc"), ({"exact": False}, "bc"), ({"minhash": False}, "b"), ({"exact": False, "minhash": False}, "")],
)
def test_switches(tmp_path: Path, changes: dict[str, bool], dropped: str) -> None:
    """Each rule can be switched off alone; clusters hold in any case."""
    base = prose(seeded(7), 100)
    rows = [row("a", " ".join(base)), row("b", " ".join(base)), row("c", " ".join([*base[:-1], "other"]))]
    decided = run(tmp_path, [rows], DedupParams.model_validate(changes))
    assert "".join(id for id in decided if not decided[id]["kept"]) == dropped
    assert {decided[id]["survivor"] for id in dropped} <= {"a"}
    assert all(decided[id]["survivor"] is None for id in "abc" if id not in dropped)
    assert {decision["cluster"] for decision in decided.values()} == {"a"}


def test_without_a_looser_threshold_clusters_are_duplicates(tmp_path: Path) -> None:
    """`cluster_jaccard: null` leaves related documents in clusters of their own."""
    base = prose(seeded(8), 100)
    rows = [row("a", " ".join(base)), row("b", " ".join(base[:70] + prose(seeded(9), 30)))]
    assert 0.5 <= plain_jaccard(rows[0]["text"], rows[1]["text"]) < 0.8
    assert [d["cluster"] for d in run(tmp_path / "loose", [rows]).values()] == ["a", "a"]
    decided = run(tmp_path / "tight", [rows], DedupParams(cluster_jaccard=None))
    assert [d["cluster"] for d in decided.values()] == ["a", "b"]


def test_ten_thousand_copies_and_ten_thousand_near_copies(tmp_path: Path) -> None:
    """One survivor each, without comparing everybody with everybody."""
    rng = seeded(10)
    text, base = " ".join(prose(rng, 30)), prose(rng, 120)
    rows = [row(f"a{n:05}", text) for n in range(10_000)]
    rows += [row(f"b{n:05}", " ".join([*base, f"tail{'abcdefghij'[n % 10]}{n}"])) for n in range(10_000)]
    decided = run(tmp_path, [rows])
    assert [id for id in decided if decided[id]["kept"]] == ["a00000", "b00000"]


def test_shingle_of_annotate_is_used(tmp_path: Path) -> None:
    """Verification uses the shingles that the signatures were made of."""
    rows = [row("a", "one two three four"), row("b", "one two three four five")]
    decided = run(tmp_path, [rows], DedupParams(jaccard=0.7), minhash=MinHashParams(shingle=2))
    assert decided["b"]["failures"][0]["value"] == 0.75


def test_unknown_source(tmp_path: Path) -> None:
    """A source in `source_priority` that no document comes from is named, with the nearest that is there."""
    with pytest.raises(ParamsError, match="names `bok`") as caught:
        run(tmp_path, [[row("a", "text", "book")]], DedupParams(source_priority=("bok",)))
    assert "did you mean `book`?" in str(caught.value)


@pytest.mark.parametrize(
    "wrong", [{"jaccard": 0.5, "cluster_jaccard": 0.6}, {"source_priority": ["a", "a"]}, {"jaccard": 0}]
)
def test_params_that_cannot_be(wrong: dict[str, Any]) -> None:
    """Thresholds the wrong way round, a source named twice, a threshold of nothing: refused."""
    with pytest.raises(ValueError, match=r"cluster_jaccard|twice|greater"):
        DedupParams.model_validate(wrong)


def test_datasets_of_other_rows(tmp_path: Path) -> None:
    """Decisions about other rows than those of `clean` are refused, and so is a manifest without parameters."""
    clean, annotate, _ = write_project(tmp_path / "one", [[row("a", "x")]])
    _, _, filtered = write_project(tmp_path / "two", [[row("a", "x"), row("b", "y")]])
    with pytest.raises(DataError, match="same rows"):
        deduplicate(clean, annotate, filtered, DedupParams(), tmp_path)
    manifest = {key: value for key, value in annotate.manifest.items() if key != "minhash"}
    write_json(annotate.folder / "_manifest.json", manifest)
    with pytest.raises(DataError, match="signatures were made"):
        deduplicate(clean, Dataset(annotate.folder), Dataset(tmp_path / "one" / "filter"), DedupParams(), tmp_path)


def test_nothing_entered(tmp_path: Path) -> None:
    """No document kept, or none at all: no decision fails."""
    decided = run(tmp_path, [[row("a", "some text", kept=False)], []])
    assert decided["a"]["kept"] is False
