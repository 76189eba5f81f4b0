"""`fetch`: documents with stable ids, in parts of bounded size, with everything skipped on record."""

from __future__ import annotations

import json
import os
import sys
import tracemalloc
from pathlib import Path

import pytest

from elek.dataset import DOCUMENT
from elek.errors import SourceError
from tests.sources.build import Fetched, files, package, put, run, sdist, use_folder_as_index, wheel


def test_documents_of_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids are readable and url is a package URL with the file; what is skipped is listed with its reason."""
    archive = sdist(
        tmp_path, {"docs/a b.txt": b"one", "docs/sub/b.txt": b"two", "docs/c.txt": b"\xff", "docs/d.txt": b""}
    )
    use_folder_as_index(tmp_path, monkeypatch)
    fetched = Fetched(tmp_path, {"docs": package(archive, files="docs/**/*.txt")})
    assert fetched.ids == ["docs/docs/a_b.txt", "docs/docs/sub/b.txt"]
    assert [row["url"] for row in fetched.rows] == [
        "pkg:pypi/texts@1.0#docs/a%20b.txt",
        "pkg:pypi/texts@1.0#docs/sub/b.txt",
    ]
    assert fetched.meta[0] == {"file": "docs/a b.txt"}
    assert fetched.train.read(0).schema.equals(DOCUMENT)
    assert [(row["file"], row["line"], row["reason"].split(":")[0]) for row in fetched.skipped] == [
        ("docs/c.txt", None, "not UTF-8"),
        ("docs/d.txt", None, "the file is empty"),
    ]
    assert fetched.sources["docs"] == {
        "kind": "package",
        "url": "pkg:pypi/texts@1.0",
        "license": "MIT",
        "lang": "en",
        "role": "train",
        "documents": 2,
        "bytes": 6,
        "skipped": 2,
        "renamed": 0,
        "ids_with_email": 0,
        "pinned": {
            "package": "texts",
            "version": "1.0",
            "archive": "sdist",
            "file": "texts-1.0.tar.gz",
            "sha256": fetched.sources["docs"]["pinned"]["sha256"],
        },
    }


def test_roles_go_to_their_datasets(tmp_path: Path) -> None:
    """Evaluation text never lies beside training text, and a role without sources is a dataset of no rows."""
    put(tmp_path, "data/raw/a.txt", "train me")
    put(tmp_path, "data/raw/b.txt", "hold me")
    sources = {"a": files("data/raw/a.txt"), "b": files("data/raw/b.txt", role="evaluation")}
    fetched = Fetched(tmp_path, sources)
    assert fetched.texts == ["train me"]
    assert fetched.evaluation.read_all()["text"].to_pylist() == ["hold me"]
    assert fetched.metrics["documents"] == {"train": 1, "evaluation": 1}
    assert fetched.metrics["bytes"] == {"train": 8, "evaluation": 7}
    alone = Fetched(tmp_path, {"a": sources["a"]})
    assert (len(alone.evaluation), len(alone.evaluation.parts)) == (0, 1)
    assert alone.evaluation.read(0).schema.equals(DOCUMENT)
    assert len(Fetched(tmp_path, {"b": sources["b"]}).train) == 0


def test_a_document_overrides_licence_and_language(tmp_path: Path) -> None:
    """Columns `license` and `lang` say more of a document than its source does."""
    rows = [{"text": "a"}, {"text": "b", "license": "mit", "lang": "tr"}, {"text": "c", "license": "Creative"}]
    put(tmp_path, "data/raw/a.jsonl", "\n".join(map(json.dumps, rows)))
    fetched = Fetched(tmp_path, {"s": files()})
    assert [(row["license"], row["lang"]) for row in fetched.rows] == [("CC0-1.0", "en"), ("MIT", "tr")]
    assert fetched.skipped[0]["line"] == 3
    assert "Creative" in fetched.skipped[0]["reason"]


def test_equal_ids_are_renamed_and_counted(tmp_path: Path) -> None:
    """The later of two records with one id gets `~2`, and so on, even where such a name is taken."""
    ids = ["a", "a", "a~2", "a", 3, None, "a b\n"]
    put(tmp_path, "data/raw/a.jsonl", "\n".join(json.dumps({"text": "x", "key": key}) for key in ids))
    fetched = Fetched(tmp_path, {"s": files(id_column="key")})
    names = [name.partition("#")[2] for name in fetched.ids]
    assert names == ["a", "a~2", "a~2~2", "a~3", "3", "6", "a_b_"]
    assert fetched.metrics["renamed"] == 3
    assert len(set(fetched.ids)) == len(fetched.ids)


def test_ids_with_mail_addresses_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ids are never masked. So their number is counted and said, with one of them masked, and the remedy."""
    ids = ["a", "ada@example.org", "b@2", "bob@example.org"]
    put(tmp_path, "data/raw/a.jsonl", "\n".join(json.dumps({"text": "x", "key": key}) for key in ids))
    fetched = Fetched(tmp_path, {"s": files(id_column="key")})
    assert fetched.ids[1] == "s/data/raw/a.jsonl#ada@example.org"
    assert fetched.metrics["ids_with_email"] == fetched.metrics["sources"]["s"]["ids_with_email"] == 2
    said = capsys.readouterr().err
    assert "of `s` 2 hold an e-mail address, the first `s/data/raw/a.jsonl#[EMAIL]` (row 2): choose" in said
    assert "ada" not in said


def test_reasons_quote_no_personal_data(tmp_path: Path) -> None:
    """What a record was skipped for may be somebody's address; the list and the error show a placeholder."""
    rows = [{"text": "a", "license": "© ada@example.org"}, {"text": "b", "lang": "ada@example.org"}, {"text": "c"}]
    put(tmp_path, "data/raw/a.jsonl", "\n".join([*map(json.dumps, rows), '{"a@b.org": 1, "a@b.org": 2}']))
    reasons = [skip["reason"] for skip in Fetched(tmp_path, {"s": files()}).skipped]
    assert len(reasons) == 3
    assert all("[EMAIL]" in reason and ".org" not in reason for reason in reasons)


def test_two_runs_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the output depends on when, where or how often it was made."""
    archive = wheel(tmp_path, {"z.txt": b"zed", "a.txt": b"ay"})
    use_folder_as_index(tmp_path, monkeypatch)
    other = tmp_path / "elsewhere" / "deeper"
    for folder in (tmp_path, other):
        for n in (2, 10, 1):
            put(folder, f"data/raw/{n}.txt", f"text {n}\n" * n)
    sources = {"p": package(archive), "f": files(encodings=["utf-8", "windows-1254"])}
    first = Fetched(tmp_path, sources, part_megabytes=0.00002)
    assert len(first.train.parts) > 1
    assert first.ids == ["p/a.txt", "p/z.txt", "f/data/raw/1.txt", "f/data/raw/10.txt", "f/data/raw/2.txt"]
    assert first.content() == Fetched(other, sources, part_megabytes=0.00002).content()
    assert str(tmp_path) not in "".join(first.content()[name].decode() for name in ("skipped.jsonl", "sources.json"))


def test_changed_files_change_the_pin(tmp_path: Path) -> None:
    """sources.json pins local files by a digest over their names and contents."""
    path = put(tmp_path, "data/raw/a.txt", "one")
    first = Fetched(tmp_path, {"s": files()}).sources["s"]["pinned"]
    path.write_bytes(b"two")
    assert Fetched(tmp_path, {"s": files()}).sources["s"]["pinned"]["sha256"] != first["sha256"]


def test_a_source_without_a_match_or_a_document_is_an_error(tmp_path: Path) -> None:
    """Neither a pattern that fits nothing nor a source of which all was skipped passes unnoticed."""
    put(tmp_path, "data/raw/a.txt", b"\xff")
    with pytest.raises(SourceError, match="no file matches"):
        Fetched(tmp_path, {"s": files("data/raw/*.md")})
    with pytest.raises(
        SourceError, match=r"`s` gives no document \(1 skipped; the first reason: data/raw/a.txt: not UTF-8"
    ):
        Fetched(tmp_path, {"s": files()})


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there, and there are no pipes among files")
def test_what_is_no_file_is_recorded(tmp_path: Path) -> None:
    """A link to nowhere or to itself is told, and a pipe is not waited for."""
    put(tmp_path, "data/raw/a.txt", "one")
    for name, target in (("b.txt", "nowhere"), ("c.txt", "c.txt")):
        (tmp_path / "data/raw" / name).symlink_to(target)
    os.mkfifo(tmp_path / "data/raw/d.txt")
    fetched = Fetched(tmp_path, {"a": files()})
    assert fetched.texts == ["one"]
    assert [row["file"] for row in fetched.skipped] == [f"data/raw/{name}.txt" for name in "bcd"]
    assert fetched.skipped[0]["reason"] == "cannot be opened: No such file or directory"
    assert fetched.skipped[2]["reason"] == "no file, but a pipe, a socket or a device"


def test_blank_texts_are_recorded(tmp_path: Path) -> None:
    """A record of nothing but white space is no document."""
    put(tmp_path, "data/raw/a.csv", 'text\n"  "\nx\n')
    fetched = Fetched(tmp_path, {"s": files()})
    assert fetched.texts == ["x"]
    assert fetched.skipped == [{"source": "s", "file": "data/raw/a.csv", "line": 2, "reason": "the text is empty"}]


def test_a_new_source_leaves_the_parts_of_the_others_alone(tmp_path: Path) -> None:
    """Wherever it stands among them."""
    texts = {name: "\n".join(json.dumps({"text": f"{name}{n} " * 20}) for n in range(50)) for name in "abcd"}
    for name, text in texts.items():
        put(tmp_path, f"data/raw/{name}.jsonl", text)

    def parts(names: str) -> dict[str, str]:
        fetched = Fetched(tmp_path, {name: files(f"data/raw/{name}.jsonl") for name in names}, part_megabytes=0.002)
        return {part.sha256: fetched.train.read(n)["source"][0].as_py() for n, part in enumerate(fetched.train.parts)}

    before, after = parts("abd"), parts("abcd")
    assert before.keys() < after.keys()
    assert {after[digest] for digest in after.keys() - before.keys()} == {"c"}


def test_memory_is_that_of_a_part(tmp_path: Path) -> None:
    """A file twenty times the size of a part does not lie in memory as a whole."""
    with (tmp_path / "a.jsonl").open("w", encoding="utf-8") as file:
        for n in range(20_000):
            file.write(json.dumps({"text": f"{n} " * 200}) + "\n")
    size = (tmp_path / "a.jsonl").stat().st_size
    tracemalloc.start()
    run(tmp_path, {"s": files("a.jsonl")}, part_megabytes=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size > 20e6
    assert peak < 8e6
