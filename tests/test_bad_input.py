"""What people really feed a pipeline: nothing is lost, nothing passes in silence, and no input takes for ever."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from elek import dataset
from elek.dataset import DOCUMENT, Dataset, read_part, write_manifest, write_part
from elek.decisions import metrics, tally
from elek.errors import DataError
from elek.filtering import FilterParams, decide
from elek.filtering.annotation import AnnotateParams, AnnotateTask, annotate_part
from elek.removal import TextPart
from elek.splitting.writing import WriteTask, write_sides
from elek.text.cleaning import CleanParams, CleanTask, clean_part
from stages import clean
from tests.conftest import ROOT
from tests.corpus import document
from tests.stages.test_clean import project
from tests.text.test_cleaning import documents

BAD: dict[str, str | bytes] = {
    "empty": "",
    "one huge line": "kelime " * 800_000,
    "no spaces": "abcçdefgğ" * 50_000,
    "only emoji": "😀👩‍🚀🇹🇷" * 5_000,
    "NUL": "bir\0iki\0" * 1_000,
    "only NUL": "\0" * 10_000,
    "lone surrogates": b"bir \xed\xa0\x80 iki \xed\xbf\xbf",
    "mixed encodings": "TÃ¼rkÃ§e ve ".encode() + "ışık".encode("iso-8859-9") + b" \xff\xfe \x80",
    "right to left": "مرحبا بالعالم ‏שלום‏ " * 500,
    "zero width": "a\u200bb\u200c\u200d\ufeff\u2060 " * 2_000,
    "a million words": "söz " * 1_000_000,
    "only spaces": " \t\u00a0\u3000\n" * 2_000,
    "control characters": "".join(map(chr, range(32))) * 100 + "\x7f\x85\u2028",
    "marks on marks": "a" + "\u0323\u0301" * 20_000,
    "good": document("tr", 1),
    "the same id again": document("tr", 2),
}


@pytest.fixture(scope="module")
def curated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pa.Table]:
    """The bad documents through clean, annotate, filter and the writing of split."""
    folder = tmp_path_factory.mktemp("bad")
    for name in ("fetch", "clean", "annotate", "filter", "split/train", "split/validation", "split/test"):
        (folder / name).mkdir(parents=True)
    table = documents(*BAD.values())
    ids = [name if name != "the same id again" else "good" for name in BAD]
    write_part(folder / "fetch", 0, table.set_column(0, DOCUMENT.field("id"), pa.array(ids)))
    cleaned = clean_part(CleanTask(folder / "fetch/part-00000.parquet", folder / "clean", 0, CleanParams()))
    source = folder / "clean" / cleaned.name
    annotate_part(AnnotateTask(source, folder / "annotate", 0, AnnotateParams().model_dump(mode="json")))
    signals = read_part(folder / "annotate/part-00000.parquet")
    params = {"gopher_quality": None, "gopher_repetition": None, "language": None, "toxicity": None, "c4": None}
    decided = decide(signals, FilterParams.model_validate(params))
    sides = pa.array(["train" if kept else None for kept in decided["kept"].to_pylist()], pa.string())
    write_part(folder / "filter", 0, decided.append_column("split", sides))
    decisions = folder / "filter/part-00000.parquet"
    write_sides(WriteTask(TextPart(source, cleaned.rows, (decisions,)), decisions, folder / "split", 0))
    return {
        "fetch": table,
        "clean": read_part(source),
        "annotate": signals,
        "filter": decided,
        "train": read_part(folder / "split/train/part-00000.parquet"),
    }


def test_every_document_is_accounted_for(curated: dict[str, pa.Table]) -> None:
    """A row in, a row out, in every stage and in order, twice the same id too; in = kept + dropped, and what is
    dropped has a reason."""
    ids = curated["clean"]["id"].to_pylist()
    assert len(ids) == len(BAD)
    assert ids.count("good") == 2
    for stage in ("annotate", "filter"):
        assert curated[stage]["id"].to_pylist() == ids
    counts = metrics(tally(curated["filter"], curated["annotate"]["source"]))
    assert counts["in"] == len(BAD) == counts["kept"] + counts["dropped"]
    assert sum(counts["reasons"].values()) == counts["dropped"]
    assert len(curated["train"]) == counts["kept"]
    for row in curated["filter"].to_pylist():
        assert row["kept"] == (not row["failures"])
    assert curated["filter"].filter(curated["filter"]["kept"])["id"].to_pylist() == ["good", "good"]


def test_what_clean_leaves_is_text(curated: dict[str, pa.Table]) -> None:
    """UTF-8 without NUL, surrogates, invisible characters; the sound text is untouched."""
    texts = dict(zip(BAD, curated["clean"]["text"].to_pylist(), strict=True))
    assert texts["empty"] == texts["only NUL"] == ""
    assert "bir \ufffd" in texts["lone surrogates"]
    assert texts["good"] == BAD["good"]
    assert texts["zero width"].split() == ["ab"] * 2_000
    for text in texts.values():
        assert "\0" not in text
        assert text.encode().decode() == text
    assert curated["annotate"]["words"].to_pylist()[list(BAD).index("a million words")] == 1_000_000


def _flip(path: Path, place: float) -> None:
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 0x10
    path.write_bytes(data)


@pytest.mark.parametrize("place", [0.1, 0.3, 0.5])
def test_a_flipped_bit_in_a_part_is_an_error_that_names_the_file(tmp_path: Path, place: float) -> None:
    """Whoever reads it, a column of it or all: pages carry checksums."""
    rng = np.random.default_rng(1)  # what does not compress, so that the text's page fills the file
    write_part(tmp_path, 0, documents(*(bytes(rng.integers(97, 123, 900).astype(np.uint8)) for _ in range(50))))
    path = tmp_path / "part-00000.parquet"
    _flip(path, place)
    with pytest.raises(DataError, match="part-00000"):
        read_part(path)
    with pytest.raises(DataError, match="part-00000"):
        clean_part(CleanTask(path, tmp_path, 1, CleanParams()))


def test_a_truncated_part_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    """Also where nobody looked at the manifest."""
    (tmp_path / "out").mkdir()
    write_part(tmp_path, 0, documents("bir"))
    path = tmp_path / "part-00000.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="part-00000"):
        annotate_part(AnnotateTask(path, tmp_path / "out", 0, AnnotateParams().model_dump(mode="json")))
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("room", [0, 2])
def test_a_full_disk_is_told_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], room: int
) -> None:
    """At the first file or a later one: exit code 4, no part of the output, no half-written file."""
    project(tmp_path, monkeypatch, {})
    write, written = pq.write_table, []

    def full(table: pa.Table, path: Path, **options: Any) -> None:
        written.append(path)
        write(table, path, **options)
        if len(written) > room:
            path.write_bytes(path.read_bytes()[:100])
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(SystemExit) as caught:
        clean.main()
    assert caught.value.code == 4
    told = capsys.readouterr().err
    assert "the disk is full" in told
    assert f"where: {tmp_path / 'data'}" in told
    assert not (tmp_path / "data/clean").exists()
    assert not list((tmp_path / "data").rglob("*.tmp"))


@pytest.mark.parametrize(
    ("number", "said"), [(errno.ENOSPC, "the disk is full"), (errno.EACCES, "the system refuses it")]
)
@pytest.mark.parametrize("name", ["reports/clean.json", ".cache/timings/clean.json", ".cache/run.holder.json"])
def test_a_disk_that_fills_around_the_data_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    number: int,
    said: str,
) -> None:
    """Also where it is the report, the timing or the lock's note that cannot be written."""
    project(tmp_path, monkeypatch, {})
    write = dataset.write_text

    def full(path: Path, text: str) -> None:
        if path == tmp_path / name:
            raise OSError(number, os.strerror(number), str(path))
        write(path, text)

    monkeypatch.setattr(dataset, "write_text", full)
    with pytest.raises(SystemExit) as caught:
        clean.main()
    assert caught.value.code == 4
    told = capsys.readouterr().err
    assert f"clean: {said}" in told
    assert str(tmp_path / name) in told


def test_debris_of_a_killed_worker_is_not_part_of_a_dataset(tmp_path: Path) -> None:
    """The manifest is the last to be written, and sweeps before."""
    part = write_part(tmp_path, 0, documents("bir"))
    (tmp_path / ".part-00001.parquet.00c0ffee.tmp").write_bytes(b"half")
    write_manifest(tmp_path, [part])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["_manifest.json", "part-00000.parquet"]
    assert len(Dataset(tmp_path)) == 1


ADVERSARIAL = """
import json
import pyarrow as pa
from elek.filtering import Batch, discover
from elek.licences.evidence import find_in
from elek.pii import mask
from elek.sources.html import read_page
from elek.text.cleaning import CleanParams, clean_text, mask_meta
from elek.text.markup import strip_markup
from elek.text.steps import clean_unicode
from elek.dedup.params import MinHashParams
from elek.dedup.signatures import signatures

UNITS = ["a@", "a@a.", "@", "(", "[1", "<", "<a ", "</", "<!--", '<div a="', "&", "&#", "....", "7", "7 ", "7-",
         "7(", "4111 ", "TR33", "ab:", "0123456789abcdef", " ", "\\t \\n", "\\u00c3", "\\u200d", "f.", "g\\u00f6tler",
         "creative commons attribution ", "license ", "License: MIT\\n", "\u00a9 ", "a!", "$a!", "s.", "f**",
         "100 000 001 46 ", "<b><p>"]
LARGE = [clean_unicode, "\\u0323\\u0301"], [read_page, "<div>"], [read_page, "<ul><li>"], [read_page, "<font a=1><p>"]

def one(text):
    array, word = pa.array([text], pa.large_string()), pa.array(["tr"])
    clean_text(text, CleanParams(), "tr")
    mask(text)
    mask_meta(json.dumps({"a": text}), ("email", "phone"))
    find_in(text)
    strip_markup("<html>" + text)
    read_page("<html><body>" + text)
    for found in discover().values():
        found.measure(Batch(word, array, word, word, pa.array(["MIT"]), word))
    signatures(array, MinHashParams())

for unit in UNITS:
    one(unit * (60_000 // len(unit)))
for function, unit in LARGE:
    function("a" + unit * (1_000_000 // len(unit)))
print("done")
"""


@pytest.mark.slow
def test_no_text_takes_for_ever() -> None:
    """Repeated openings of what regular expressions and parsers look for: minutes where work grows with the square of
    the length, seconds where it grows with it. The limit is a safety net, no measure."""
    done = subprocess.run(
        [sys.executable, "-c", ADVERSARIAL], cwd=ROOT, capture_output=True, text=True, check=False, timeout=180
    )
    assert done.stdout.strip() == "done", done.stderr
