"""`elek curate`, end to end on small files."""

from __future__ import annotations

import hashlib
import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from elek.curation import running
from elek.dataset import DOCUMENT
from elek.errors import DataError, ParamsError, SourceError
from elek.filtering import discover
from tests.conftest import ROOT
from tests.corpus import document
from tests.curation.files import decisions, reasons, records, run, table, write
from tests.sources.crawl import members, page, record


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default rules on `records`, in one worker."""
    folder = tmp_path_factory.mktemp("curated")
    run([write(folder / "corpus.jsonl", records())], folder / "out")
    return folder / "out"


def test_every_document_is_decided_in_the_order_of_the_input(out: Path) -> None:
    """As many rows as documents, the ids as they came, in = kept + dropped, in the manifest as in the rows."""
    rows = decisions(out)
    assert [row["id"] for row in rows] == [row["id"] for row in records()]
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    kept = [row["id"] for row in rows if row["kept"]]
    assert manifest["in"] == len(rows) == manifest["kept"] + manifest["dropped"]
    assert manifest["kept"] == len(kept)
    assert table(out, "documents")["id"].to_pylist() == kept
    assert sum(manifest["reasons"].values()) == manifest["dropped"]


def test_the_reason_is_the_first_of_all_failing_rules(out: Path) -> None:
    """Null and an empty list where the document is kept; otherwise `ruleset.rule`."""
    for row in decisions(out):
        assert row["kept"] == (row["reason"] is None) == (row["reasons"] == [])
        assert row["kept"] or row["reason"] == row["reasons"][0]
    found = reasons(out)
    assert found["doc/16"] == "dedup.exact"
    assert "dedup.minhash" in (found["doc/17"], found["doc/18"])
    assert found["doc/19"] == "gopher_quality.min_words"
    assert found["doc/21"] == "toxicity.max_score"
    assert found["doc/0"] is None
    assert found["doc/8"] is None


def test_signals_are_flat_and_have_the_names_that_are_promised(out: Path) -> None:
    """A row per document, nothing nested, no hash; every rule's value by name."""
    signals = table(out, "signals")
    promised = {"id", "language.label", "language.score", "toxicity.score", "licence.evidence", "pii.count"}
    promised |= {f"{name}.{rule.signal}" for name, found in discover().items() for rule in found.rules}
    assert promised <= set(signals.column_names)
    assert not any(pa.types.is_nested(field.type) or field.name.startswith("hash.") for field in signals.schema)
    assert signals["id"].to_pylist() == [row["id"] for row in records()]
    assert pc.sum(signals["pii.count"]).as_py() == 1


def test_documents_have_the_schema_of_the_pipeline_and_no_personal_data(out: Path) -> None:
    """What curate writes, the rest of the pipeline can read; a masked address is nowhere in the output."""
    assert table(out, "documents").schema.equals(DOCUMENT)
    everything = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file() and path.suffix != ".parquet")
    text = "\n".join(table(out, "documents")["text"].to_pylist())
    assert "[EMAIL]" in text
    assert "somebody@" not in text
    assert b"somebody@" not in everything


def test_the_report_shows_what_was_dropped_and_kept(out: Path) -> None:
    """One page that loads nothing, with every reason, a sample of each, and kept documents beside it: the nearest to
    the threshold, and of a duplicate what was kept in its place."""
    page = (out / "report.html").read_text(encoding="utf-8")
    assert all(reason in page for reason in set(reasons(out).values()) - {None})
    assert "Too short." in page
    sides = {rule: page[page.index(f'id="{rule}"') :].split("</details>")[0] for rule in reasons(out).values() if rule}
    assert "kept in its place" in sides["dedup.exact"]
    assert sides["dedup.exact"].count(">doc/0<") == 1
    assert "kept, nearest to the threshold" in sides["gopher_quality.min_words"]
    shown = re.findall(r'class="yes"><span class="meta"><span class="tag">([^<]*)', page)
    assert shown
    assert set(shown) <= set(table(out, "documents")["id"].to_pylist())
    assert "<script" not in page
    assert 'src="' not in page
    assert "http://" not in page


@pytest.mark.slow
def test_the_bytes_do_not_depend_on_the_number_of_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One worker or two, another day or another folder: every file is the same."""
    corpus = write(tmp_path / "corpus.jsonl", records())
    monkeypatch.setattr(running, "Cutter", partial(running.Cutter, piece_bytes=4000))  # several shards
    run([corpus], tmp_path / "one", workers=1)
    run([corpus], tmp_path / "elsewhere" / "two", workers=2)
    assert len(list((tmp_path / "one" / "documents").glob("*.parquet"))) > 2
    assert digests(tmp_path / "one") == digests(tmp_path / "elsewhere" / "two")


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_skipping_leaves_the_text_as_it_came(tmp_path: Path) -> None:
    """`--skip clean,dedup`: not a byte is changed, no copy is dropped; personal data is counted and reported masked."""
    rows = [*records(), {"id": "rough", "text": "  Caf\u00e9 \u200b\x07 mail: me@mail-server.org  \r\n" * 12}]
    skip = ("clean", "dedup", "filter")
    manifest = run([write(tmp_path / "in.jsonl", rows)], tmp_path / "out", skip=skip)
    assert manifest["kept"] == len(rows)
    assert table(tmp_path / "out", "documents")["text"].to_pylist() == [row["text"] for row in rows]
    assert table(tmp_path / "out", "signals")["pii.count"].to_pylist()[-1] == 12
    assert "me@mail-server.org" not in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_a_preset_applies_its_rules_and_nothing_else(tmp_path: Path) -> None:
    """No reason but Gopher's, whatever the licence, language or tone."""
    rows = [{**row, "license": "LicenseRef-Nobody-Knows"} for row in records()]
    run([write(tmp_path / "in.jsonl", rows)], tmp_path / "out", preset="gopher", skip=("dedup",))
    found = {reason for reason in reasons(tmp_path / "out").values() if reason}
    assert found
    assert {reason.partition(".")[0] for reason in found} <= {"gopher_quality", "gopher_repetition"}


def test_words_are_counted_as_asked(tmp_path: Path) -> None:
    """`--words unicode` does not count a dash that stands alone."""
    corpus = write(tmp_path / "in.jsonl", [{"id": "a", "text": "one - two - three"}])
    for words, expected in (("whitespace", 5), ("unicode", 3)):
        run([corpus], tmp_path / words, words=words)
        assert table(tmp_path / words, "signals")["words"].to_pylist() == [expected]


def test_a_file_without_licences_is_judged_by_what_its_text_says(tmp_path: Path) -> None:
    """None declared: kept, but where the text claims a licence that the policy refuses; --license declares one."""
    notice = "This document is licensed under the GNU General Public License, version 3 or later.\n\n"
    rows = [{"id": "plain", "text": document("en", 3)}, {"id": "copyleft", "text": notice + document("en", 4)}]
    corpus = write(tmp_path / "in.jsonl", rows)
    manifest = run([corpus], tmp_path / "none")
    assert reasons(tmp_path / "none") == {"plain": None, "copyleft": "licence.policy"}
    assert manifest["undeclared_licences"] == 2
    run([corpus], tmp_path / "given", license="gpl-3.0-only")
    assert set(reasons(tmp_path / "given").values()) == {"licence.policy"}
    assert table(tmp_path / "given", "signals")["licence.declared"].to_pylist() == ["GPL-3.0-only"] * 2
    rows[0] |= {"license": "NONE"}  # SPDX's words for none declared are as good as an empty cell, and counted
    rows[1] |= {"license": "NOASSERTION"}
    assert run([write(tmp_path / "in.jsonl", rows)], tmp_path / "said")["undeclared_licences"] == 2
    run([write(tmp_path / "in.jsonl", [{**row, "license": "whatever"} for row in rows])], tmp_path / "odd")
    assert set(reasons(tmp_path / "odd").values()) == {"licence.unknown"}


def test_whoever_names_a_language_wants_text_in_it(tmp_path: Path) -> None:
    """German is dropped by default and kept with --lang de."""
    german = (
        "Der alte Lehrer ging langsam am Fluss entlang, und niemand fragte ihn, warum er so spät noch unterwegs war. "
    )
    corpus = write(tmp_path / "in.jsonl", [{"id": "de", "text": german * 2}])
    run([corpus], tmp_path / "default", skip=("clean",))
    run([corpus], tmp_path / "german", lang="de")
    assert "language.allow" in decisions(tmp_path / "default")[0]["reasons"]
    assert "language.allow" not in decisions(tmp_path / "german")[0]["reasons"]


def test_the_same_id_twice_is_two_documents(tmp_path: Path) -> None:
    """Each is decided by itself, and how many there are is told."""
    rows = [{"id": "same", "text": document("en", seed)} for seed in range(3)]
    manifest = run([write(tmp_path / "in.jsonl", rows)], tmp_path / "out")
    assert manifest["duplicate_ids"] == 2
    assert manifest["in"] == 3
    assert [row["id"] for row in decisions(tmp_path / "out")] == ["same"] * 3


def test_ids_with_mail_addresses_are_told(tmp_path: Path) -> None:
    """Ids are never masked. So their number is in the manifest, with one of them masked; the report says it too."""
    rows = [{"id": name, "text": document("en", seed)} for seed, name in enumerate(["a", "ada@example.org", "b@2"])]
    manifest = run([write(tmp_path / "in.jsonl", rows)], tmp_path / "out")
    assert manifest["ids_with_email"] == {"documents": 1, "first": "`[EMAIL]` (in.jsonl, row 2)"}
    assert "1 of them hold an e-mail address" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert [row["id"] for row in decisions(tmp_path / "out")] == ["a", "ada@example.org", "b@2"]


def test_personal_data_in_a_licence_in_words_is_masked(tmp_path: Path) -> None:
    """Reports list licences, and one that is no SPDX expression may name its holder; valid ones stay."""
    licences = ["MIT", "© 2020 Ada, ada@example.org"]
    rows = [{"license": name, "text": document("en", seed)} for seed, name in enumerate(licences)]
    run([write(tmp_path / "in.jsonl", rows)], tmp_path / "out", skip=("clean", "filter"))
    kept = pq.read_table(tmp_path / "out" / "documents" / "part-00000.parquet")
    assert kept["license"].to_pylist() == ["MIT", "© 2020 Ada, [EMAIL]"]
    assert "ada@" not in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_params_of_ones_own(tmp_path: Path) -> None:
    """`--params` takes the sections that matter here from any params.yaml; a typo is told."""
    params = tmp_path / "params.yaml"
    params.write_text("filter:\n  gopher_quality: {min_words: 3}\ndedup: {exact: false, minhash: false}\n", "utf-8")
    corpus = write(tmp_path / "in.jsonl", records())
    run([corpus], tmp_path / "out", params=params)
    assert {reason.partition(".")[0] for reason in reasons(tmp_path / "out").values() if reason} == {"gopher_quality"}
    params.write_text("filter:\n  gopher_qualty: {}\n", "utf-8")
    with pytest.raises(ParamsError, match="gopher_quality"):
        run([corpus], tmp_path / "other", params=params)


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [
        ({"preset": "gofer"}, "gopher"),
        ({"skip": ("dedupe",)}, "dedup"),
        ({"license": "MTI"}, "MIT"),
        ({"words": "whitspace"}, "whitespace"),
    ],
)
def test_wrong_names_are_refused_with_the_nearest(tmp_path: Path, asked: dict[str, Any], nearest: str) -> None:
    """Before anything is read."""
    with pytest.raises(ParamsError, match=nearest):
        run([tmp_path / "never-read.jsonl"], tmp_path / "out", **asked)


def test_only_an_earlier_result_is_replaced(tmp_path: Path) -> None:
    """A folder with anything else in it, or with the input in it, is left alone."""
    corpus = write(tmp_path / "in.jsonl", records()[:2])
    run([corpus], tmp_path / "out")
    run([corpus], tmp_path / "out", skip=("dedup",))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work", "utf-8")
    for target in (tmp_path / "mine", tmp_path):
        with pytest.raises(DataError):
            run([corpus], target)
    assert (tmp_path / "mine" / "thesis.txt").read_text("utf-8") == "years of work"


def test_a_run_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The earlier result stays whole, no half-written folder, no scratch."""
    corpus = write(tmp_path / "in.jsonl", records()[:2])
    run([corpus], tmp_path / "out")
    before = digests(tmp_path / "out")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(running.page, "write", full)
    with pytest.raises(DataError, match="disk is full"):
        run([corpus], tmp_path / "out", skip=("dedup",))
    assert digests(tmp_path / "out") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out"]


def test_a_lost_document_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Conservation is checked on what was written."""
    writing = running.write_output

    def losing(task: Any) -> Any:
        written = writing(task)
        key = next(key for key in written.volume if key[-1] == "documents")
        written.volume[key] -= 1
        return written

    monkeypatch.setattr(running, "write_output", losing)
    with pytest.raises(DataError, match="documents were read"):
        run([write(tmp_path / "in.jsonl", records()[:3])], tmp_path / "out")


def test_nothing_readable_is_an_error(tmp_path: Path) -> None:
    """Which names the first thing that could not be read."""
    (tmp_path / "in.jsonl").write_text("{broken\n", "utf-8")
    with pytest.raises(SourceError, match="no JSON"):
        run([tmp_path / "in.jsonl"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_default_rules_are_those_of_the_shipped_params() -> None:
    """But for what becomes of documents without a declared licence: keep the two in step."""
    from elek.curation.settings import DEFAULT
    from elek.params import read, validate

    validate(read(DEFAULT), DEFAULT.name)  # which no run of ours asks
    own, shipped = read(DEFAULT)["filter"], read(ROOT / "params.yaml")["filter"]
    assert own["licence"].pop("undeclared") == "evidence"
    assert own == shipped


def test_a_compressed_parquet_and_text_input_give_the_same_documents(tmp_path: Path) -> None:
    """Formats are a matter of reading: ids and decisions are the same."""
    rows = records()
    write(tmp_path / "a.jsonl", rows)
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "b.parquet", row_group_size=5)
    run([tmp_path / "a.jsonl"], tmp_path / "lines")
    run([tmp_path / "b.parquet"], tmp_path / "table")
    assert reasons(tmp_path / "lines") == reasons(tmp_path / "table")


def test_lines_that_rules_take_out_are_out_of_the_documents(tmp_path: Path) -> None:
    """The preset c4 keeps the document and drops its lines without a full stop; the manifest counts the bytes, and the
    signals have what its rules compared."""
    text = document("en", 6, 24) + "\nClick here for more\n"
    manifest = run([write(tmp_path / "in.jsonl", [{"id": "a", "text": text}])], tmp_path / "out", preset="c4")
    (left,) = table(tmp_path / "out", "documents")["text"].to_pylist()
    assert "Click here" not in left
    assert manifest["clean"]["removed"] > len("Click here for more")
    signals = table(tmp_path / "out", "signals").to_pylist()[0]
    assert signals["c4.sentences"] >= 5
    assert signals["c4.curly_brackets"] == signals["c4.lorem_ipsum"] == 0


def test_a_crawl_is_curated_by_what_its_pages_say(tmp_path: Path) -> None:
    """A reservation in an HTTP header and a licence that the page links decide, with the evidence; sums are told."""
    texts = [f"<p>{document('en', seed)}" for seed in range(4)]
    pages = [
        page(texts[0], number=1),
        page(texts[1], "X-Robots-Tag: noai", number=2),
        page(texts[2] + '<a rel="license" href="https://creativecommons.org/licenses/by-nc/4.0/">x</a>', number=3),
        page(texts[3] + '<a rel="license" href="https://creativecommons.org/licenses/by/4.0/">x</a>', number=4),
        *[page("x", kind="image/png")] * 1234,
        record("warcinfo", b"", None),
    ]
    (tmp_path / "in.warc.gz").write_bytes(members(pages))
    manifest = run([tmp_path / "in.warc.gz"], tmp_path / "out")
    assert list(reasons(tmp_path / "out").values()) == [
        None,
        "licence.opt_out",
        "licence.policy",
        None,
    ]
    lines = (tmp_path / "out" / "skipped.jsonl").read_text(encoding="utf-8").splitlines()
    told = [("content of type image/*", 1234), ("records of type warcinfo", 1)]
    assert [json.loads(line) for line in lines] == [
        {"file": "in.warc.gz", "line": None, "reason": f"passed over: {what}", "records": number}
        for what, number in told
    ]
    assert manifest["skipped"] == 1235
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert ">1,234 records<" in report
    assert ">1 records<" in report
