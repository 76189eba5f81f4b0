"""What-if: for every id the verdict that editing params.yaml and running `filter`, `dedup` and `split` gives."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from elek.cli.rules import collect, lines
from elek.cli.whatif import whatif as command
from elek.dataset import Dataset, write_json, write_manifest, write_part
from elek.errors import DataError, ParamsError
from elek.explaining.neighbours import nearest_kept
from elek.explaining.replay import VERDICT, Replay
from elek.explaining.whatif import changed, whatif
from elek.filtering import FilterParams
from elek.params import parse
from elek.removal import removed_bytes
from elek.text.cleaning import SCHEMA
from stages import annotate, dedup, filter, split
from tests.corpus import document, sentence
from tests.dedup.project import edited, seeded
from tests.project import write_params

OWN = "own:195"
"""A document that contradicts what is declared of it."""
FOOTER = "Read more about this in our newsletter."
BASE: dict[str, Any] = {
    "execution.workers": 1,
    "filter": {
        "licence": {"policy": "permissive"},
        "gopher_quality": {"min_words": 40, "max_bullet_lines": {"default": 0.9, "tr": None}},
    },
    "dedup": {"jaccard": 0.8, "cluster_jaccard": 0.5},
    "split": {"validation": 0.15, "test": 0.15, "seed": 1},
}


def corpus() -> list[dict[str, Any]]:
    """Pages in two languages and under four licences, near copies, passages that pages share, short pages, a crowd."""
    rng = seeded(5)
    rows: list[tuple[str, str, str, str]] = []
    pages = [(lang, document(lang, seed, 6 + seed % 12)) for seed in range(40) for lang in ("en", "tr")]
    for at, (lang, text) in enumerate(pages):
        licence = ("MIT", "GPL-3.0-only", "CC-BY-NC-4.0", "LicenseRef-Nobody")[at % 7 % 4]
        rows.append(("pages" if at % 3 else "other", lang, licence, text))
        if at % 4 == 0:  # a near copy under another licence, and one that is equal but for case
            words = text.split()
            rows.append(("copies", lang, "MIT", " ".join(edited(rng, words, 1 + at % 11))))
            rows.append(("copies", lang, "MIT" if at % 8 else "GPL-3.0-only", text.upper()))
        if at % 5 == 0:  # a page with most of another one inside
            rows.append(("quotes", lang, "MIT", f"{document(lang, 900 + at)}\n{text[: len(text) * 3 // 4]}\n{FOOTER}"))
    rows += [("short", "en", "MIT", sentence("en", rng)) for _ in range(12)]
    rows += [("quotes", "en", "MIT", f"{document('en', 700)} {rows[-3][3]} {document('en', 701)}")]
    long = document("en", 500, 40).split()
    for n in range(45):  # of these the first are dropped, unless the licence is let in
        rows.append(("crowd", "en", "GPL-3.0-only" if n < 40 else "MIT", " ".join([*long, f"number {n} of many"])))
    rows.append(("lines", "en", "MIT", f"Please enable javascript now.\n{document('en', 800)}\nno end of this"))
    rows.append(("own", "en", "MIT", f"SPDX-License-Identifier: GPL-3.0-only\n\n{document('en', 810)}"))
    base = dict.fromkeys(SCHEMA.names, 0) | {"meta": "{}"}
    return [
        base | {"id": f"{source}:{n:03}", "source": source, "lang": lang, "license": licence, "text": text, "url": ""}
        for n, (source, lang, licence, text) in enumerate(rows)
    ]


def write(folder: Path, parts: Sequence[Sequence[dict[str, Any]]]) -> None:
    folder.mkdir(parents=True)
    tables = [pa.Table.from_pylist(list(rows), schema=SCHEMA) for rows in parts]
    write_manifest(folder, [write_part(folder, index, table) for index, table in enumerate(tables)])


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which the stages from `annotate` to `split` have run, in three parts, with an evaluation source."""
    folder = tmp_path_factory.mktemp("project")
    rows = corpus()
    for at, item in enumerate(rows):
        item["url"] = f"https://example.org/{at % 97}?utm_source={at}" if at % 3 == 0 else ""
    write(folder / "data" / "clean" / "train", [rows[:70], rows[70:130], rows[130:]])
    held = [{**rows[n], "id": f"held:{n}", "source": "held", "text": rows[n]["text"][:400]} for n in (3, 40)]
    write(folder / "data" / "clean" / "evaluation", [held])
    write_params(folder, deepcopy(BASE))
    (folder / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for stage in (annotate, filter, dedup, split):
            stage.main()
    return folder


def really(project: Path, folder: Path, edits: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> pa.Table:
    """The verdicts of a run of the three stages with params edited."""
    shutil.copytree(project, folder)
    write_params(folder, deepcopy(BASE | edits))
    monkeypatch.chdir(folder)
    for stage in (filter, dedup, split):
        stage.main()
    return Replay(folder / "data").last()


QUESTIONS: list[tuple[list[str], list[str], dict[str, Any]]] = [
    (["filter.gopher_quality.min_words=30"], [], {"filter.gopher_quality.min_words": 30}),
    (["filter.gopher_quality.min_words.tr=90"], [], {"filter.gopher_quality.min_words": {"default": 40, "tr": 90}}),
    (
        ["filter.gopher_quality.max_mean_word_length.en=5", "filter.gopher_repetition.max_duplicate_lines.tr=0.01"],
        [],
        {
            "filter.gopher_quality.max_mean_word_length": {"default": 10, "tr": 21, "en": 5},
            "filter.gopher_repetition": {"max_duplicate_lines": {"default": 0.3, "tr": 0.01}},
        },
    ),
    (
        ["filter.licence.policy=open", "filter.licence.unknown=false"],
        [],
        {"filter.licence": {"policy": "open", "unknown": False}},
    ),
    (["filter.licence.policy=any"], ["filter.gopher_quality"], {"filter": {"licence": {"policy": "any"}}}),
    (
        ["filter.gopher_repetition=", "filter.language.allow=[tr]"],
        [],
        {"filter.gopher_repetition": None, "filter.language": {"allow": ["tr"]}},
    ),
    (
        ["filter.licence.contradiction=hold", f"filter.licence.release={{{OWN}: the header is quoted}}"],
        [],
        {"filter.licence": {"contradiction": "hold", "release": {OWN: "the header is quoted"}}},
    ),
    (["dedup.jaccard=0.6"], [], {"dedup.jaccard": 0.6}),
    (["dedup.jaccard=0.95", "dedup.cluster_jaccard=null"], [], {"dedup": {"jaccard": 0.95, "cluster_jaccard": None}}),
    (["dedup.exact=false", "dedup.minhash=false"], [], {"dedup.exact": False, "dedup.minhash": False}),
    (
        ["dedup.url=true", "dedup.source_priority=[quotes, crowd]", "filter.licence.policy=open"],
        [],
        {"dedup.url": True, "dedup.source_priority": ["quotes", "crowd"], "filter.licence.policy": "open"},
    ),
    (["split.seed=3", "split.validation=0.3"], [], {"split.seed": 3, "split.validation": 0.3}),
    (
        ["split.decontaminate_share=0.7", "split.decontaminate_common=2"],
        [],
        {"split.decontaminate_share": 0.7, "split.decontaminate_common": 2},
    ),
    (["split.decontaminate_ngram=null"], [], {"split.decontaminate_ngram": None}),
    (["split.decontaminate_ngram=8"], [], {"split.decontaminate_ngram": 8}),
    (["filter.c4.min_sentences=2"], [], {"filter.c4": {"min_sentences": 2}}),
    (["dedup.boilerplate.max_documents=1"], [], {"dedup.boilerplate": {"max_documents": 1}}),
    (
        ["dedup.boilerplate={max_documents: 1}", "filter.c4.min_sentences=2", "filter.licence.policy=any"],
        [],
        {
            "dedup.boilerplate": {"max_documents": 1},
            "filter.c4": {"min_sentences": 2},
            "filter.licence.policy": "any",
        },
    ),
]


@pytest.mark.parametrize(("settings", "removed", "edits"), QUESTIONS, ids=[" ".join(item[0]) for item in QUESTIONS])
def test_verdict_is_that_of_a_run(
    project: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: list[str],
    removed: list[str],
    edits: dict[str, Any],
) -> None:
    """Kept or not, reason, survivor, side and bytes taken out: equal for every id, and other than before."""
    found = whatif(project, settings, removed)
    expected = really(project, tmp_path / "edited", edits, monkeypatch)
    assert found.after.schema.equals(VERDICT)
    assert found.after.to_pylist() == expected.to_pylist()
    assert found.before.to_pylist() == Replay(project / "data").last().to_pylist()
    assert found.after.to_pylist() != found.before.to_pylist()


def test_other_text_taken_out_before_and_after(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where `c4` has run: without it, and with another of its line rules, the verdict is that of a run too."""
    with_c4 = {"filter.c4": {"min_sentences": 2}}
    really(project, tmp_path / "c4", with_c4, monkeypatch)
    for at, (settings, removed, edits) in enumerate(
        [
            ([], ["filter.c4"], {}),
            (
                ["filter.c4.line_terminal_punctuation=false"],
                [],
                {"filter.c4": {"min_sentences": 2, "line_terminal_punctuation": False}},
            ),
            (["split.seed=4"], [], {**with_c4, "split.seed": 4}),
        ]
    ):
        found = whatif(tmp_path / "c4", settings, removed)
        expected = really(tmp_path / "c4", tmp_path / str(at), edits, monkeypatch)
        assert found.after.to_pylist() == expected.to_pylist()
        assert bool(found.notes) == (at < 2)


def test_rules_that_remove_text_are_counted(project: Path) -> None:
    """`elek rules` tells of each line rule how much it takes out of what stays, and which never do."""
    params = parse("filter", {"c4": {"min_sentences": 2, "line_policy": False}}, FilterParams)
    found = collect(project, params)
    rows = {row["rule"]: row for row in found["removing"]}
    after = Replay(project / "data")._filter(params)
    assert after["kept"].to_numpy().any()
    assert rows["c4.line_javascript"]["documents"] == rows["c4.line_javascript"]["staying"] == 1
    assert rows["c4.line_javascript"]["bytes"] == len("Please enable javascript now.\n")
    lost = int(removed_bytes(after["remove"]).sum())
    assert max(row["bytes"] for row in rows.values()) <= lost <= sum(row["bytes"] for row in rows.values())
    dead = {item["rule"]: item["kind"] for item in found["dead"]}
    assert (dead["c4.line_policy"], dead["c4.line_max_word_length"]) == ("off", "never")
    assert any(line.startswith("c4.line_terminal_punctuation") for line in lines(found))


def test_the_nearest_document_that_stays(project: Path) -> None:
    """`elek why` shows of a document that stays how near another one comes: measured, below the threshold."""
    dedup, near = Dataset(project / "data" / "dedup"), {}
    for part in range(len(dedup.parts)):
        table = dedup.read(part, ["id", "kept"])
        for row in np.flatnonzero(table["kept"].to_numpy()).tolist():
            near[table["id"][row].as_py()] = nearest_kept(project / "data", part, row)
    found = {name: item for name, item in near.items() if item is not None}
    assert 0 < len(found) < len(near)
    assert all(other in near and other != name and value < 0.8 for name, (other, value) in found.items())


def test_no_text_is_read_where_pairs_and_passages_are_known(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thresholds, policies, seeds: no column `text` is opened; the pairs of a crowd whose first members change are."""
    asked: list[str] = []
    from elek import dataset

    original = dataset.read_part

    def spy(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
        asked.extend(["text"] if columns is None and "clean" in str(path) else columns or [])
        return original(path, columns)

    monkeypatch.setattr(dataset, "read_part", spy)
    for setting in ("filter.gopher_quality.min_words=30", "split.seed=3", "dedup.jaccard=0.9"):
        assert not whatif(project, [setting], examples=0).notes
    assert "text" not in asked
    assert "kept" in asked


def test_sums_add_up(project: Path) -> None:
    """By source, language and licence the same totals; gained less lost is after less before; examples are gained."""
    found = whatif(project, ["filter.licence.policy=open"], examples=3)
    total = found.totals()
    assert total["documents_after"] - total["documents_before"] == total["gained"] - total["lost"] > 0
    for what in ("source", "language", "license"):
        groups = found.by(what)
        assert {key: sum(item[key] for item in groups.values()) for key in total} == total
    assert sum(item["after"] for item in found.splits().values()) == total["documents_after"]
    dropped = sum(item["after"] for item in found.reasons().values())
    assert dropped + total["documents_after"] == len(found.after)
    kept = {row["id"]: row["kept"] for row in found.after.to_pylist()}
    assert len(found.gained) == 3
    assert all(kept[example.id] for example in found.gained)
    assert {example.reason for example in found.gained} == {"licence.policy"}
    assert found == whatif(project, ["filter.licence.policy=open"], examples=3)


def test_bytes_are_those_that_split_writes(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a filter takes out of documents does not count."""
    found = whatif(project, ["filter.c4.min_sentences=2"])
    really(project, tmp_path / "edited", {"filter.c4": {"min_sentences": 2}}, monkeypatch)
    sides = [Dataset(tmp_path / "edited" / "data" / "split" / name) for name in ("train", "validation", "test")]
    texts = [text for side in sides for text in side.read_all(["text"])["text"].to_pylist()]
    assert found.totals()["bytes_after"] == sum(len(text.encode()) for text in texts)


@pytest.mark.parametrize(
    ("rules", "rest"), [({}, 50), ({"min_words": None}, None), ({"min_words": 40}, 40), ({"min_words": {"en": 9}}, "")]
)
def test_a_threshold_for_one_language(rules: dict[str, Any], rest: int | str | None) -> None:
    """For all others it stays what it was: the default where params.yaml names none, off where it says null."""
    asked = changed({"filter": {"gopher_quality": rules}}, ["filter.gopher_quality.min_words.tr=30"])
    expected = {"en": 9} if rest == "" else {"default": rest}
    assert asked["filter"]["gopher_quality"]["min_words"] == expected | {"tr": 30}


@pytest.mark.parametrize(
    ("settings", "removed", "message"),
    [
        (["annotate.words=unicode"], [], "belongs to `annotate`"),
        (["fetch.part_megabytes=1"], [], "belongs to `fetch`"),
        (["fliter.licence.policy=any"], [], "did you mean `filter`?"),
        (["filter.gopher_qualty.min_words=3"], [], "did you mean `gopher_quality`?"),
        (["filter.gopher_quality.min_word=3"], [], "did you mean `min_words`?"),
        (["dedup.jacard=0.5"], [], "did you mean `jaccard`?"),
        (["split.seed=many"], [], "split.seed"),
        (["dedup.jaccard=0.3"], [], "cluster_jaccard must not be above"),
        (["filter.gopher_quality.min_words"], [], "sets nothing"),
        (["dedup=1"], [], "names no key"),
        (["dedup.jaccard.not=1"], [], "write `--set dedup.jaccard=VALUE`"),
        (["dedup.jaccard.exact=true"], [], "or `--set dedup.exact=VALUE`"),
        (["filter.gopher_quality.min_words=[1"], [], "not valid YAML"),
        (["filter.gopher_quality.min_words=2001-13-45"], [], "not valid YAML"),
        ([f"split.seed={'1' * 5000}"], [], "not valid YAML"),
        (["dedup.source_priority=[bok]"], [], "names `bok`"),
        ([], ["filter.gopher_qualty"], "did you mean `gopher_quality`?"),
        ([], ["clean.unicode"], "where: --unset"),
        ([], ["dedup.jaccard.x"], "`dedup.jaccard.x` is not set"),
        (["filter.licence.polcy=open"], [], "where: params.yaml with the settings"),
    ],
)
def test_settings_that_cannot_be(project: Path, settings: list[str], removed: list[str], message: str) -> None:
    """Refused by name, with the nearest valid one."""
    with pytest.raises(ParamsError) as caught:
        whatif(project, settings, removed)
    assert message in str(caught.value)


def test_decisions_that_are_stale(project: Path, tmp_path: Path) -> None:
    """A stage that has run since is named; so is a side that would be empty."""
    shutil.copytree(project, tmp_path / "stale")
    manifest = tmp_path / "stale" / "data" / "dedup" / "_manifest.json"
    write_json(manifest, Dataset(manifest.parent).manifest | {"parents": {}})
    with pytest.raises(DataError, match="has run since"):
        whatif(tmp_path / "stale", ["split.seed=2"])
    with pytest.raises(DataError, match="side is empty"):
        whatif(project, ["filter.gopher_quality.min_words=1000000"])


def test_command(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Tables of what changes, for people; everything as JSON, for programs; a question is needed."""
    monkeypatch.chdir(project)
    command(["filter.licence.policy=open"], [], 2, as_json=False)
    told = capsys.readouterr().out
    assert "documents │" in told
    assert "licence.policy" in told
    assert "GPL-3.0-only" in told
    assert "gained, for example" in told
    command([], ["filter.licence"], 2, as_json=True)
    assert '"by_license"' in capsys.readouterr().out
    with pytest.raises(ParamsError, match="nothing to ask"):
        command([], [], 2, as_json=False)
