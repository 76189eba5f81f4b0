"""The command line: instant help, errors with exit codes, and the commands that need no server."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from elek.cli import app, console, main, summary
from elek.cli.lineage import backward
from elek.dataset import write_json
from elek.errors import ParamsError
from elek.evaluation.names import as_pseudo
from elek.lineage.ancestry import Rebuild, Version
from tests.project import environment
from tests.registered import make_trained_project


def elek(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`elek …` in that folder, in this process: what it prints, and its exit code."""
    code: Any = 0
    with (
        contextlib.chdir(folder),
        patch.object(sys, "argv", ["elek", *arguments]),
        contextlib.redirect_stdout(io.StringIO()) as out,
        contextlib.redirect_stderr(io.StringIO()) as err,
    ):
        try:
            main()
        except SystemExit as left:
            code = left.code or 0
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def elek_apart(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`elek …` in a process of its own, for commands that change their environment."""
    return subprocess.run(
        [sys.executable, "-m", "elek.cli", *arguments],
        cwd=folder,
        env={name: value for name, value in environment().items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    """--help names every command and loads none of the libraries that take their time."""
    heavy = ["torch", "mlflow", "prefect", "dvc", "pyarrow", "numpy", "rich", "pydantic", "pandas", "numba", "psutil"]
    script = (
        "import sys; from elek.cli import main; sys.argv = ['elek', '--help']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "..." not in done.stdout.partition("Commands:")[2], "a line that is cut off"
    for command in app.registered_commands:
        assert command.callback is not None
        assert command.callback.__name__ in done.stdout


@pytest.mark.parametrize(
    "command",
    [
        *("run", "ui", "register", "schedule --every 5", "why x", "rules", "lineage x", "new filter abc"),
        *("generate x", "attention x", "serve", "whatif --set split.seed=2"),
    ],
)
def test_outside_of_a_project(tmp_path: Path, command: str) -> None:
    """Every command that needs a project says that there is none, and where the nearest one above is."""
    (tmp_path / "inner").mkdir()
    done = elek(tmp_path / "inner", *command.split())
    assert done.returncode == 2
    assert "no Elek project" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_project_above_is_named(tmp_path: Path) -> None:
    """In a folder inside of a project the fix is the way back."""
    for name in ("dvc.yaml", "params.yaml"):
        (tmp_path / name).write_text("{}\n", encoding="utf-8")
    (tmp_path / "inner").mkdir()
    assert f"cd {tmp_path}" in elek(tmp_path / "inner", "why", "x").stderr


def test_an_unknown_option_is_exit_code_2(tmp_path: Path) -> None:
    """Typing errors on the command line are told by name."""
    done = elek(tmp_path, "run", "--quik")
    assert done.returncode == 2
    assert "--quik" in done.stderr


@pytest.mark.parametrize(("name", "where"), [("a.txt", "a.txt"), (".page.html.1a2b.tmp", "")])
def test_what_the_system_refuses_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, where: str
) -> None:
    """A folder that takes no file is named, not the temporary file; any other error of the system is a bug of ours."""

    def refuse() -> Path:
        raise OSError(number, os.strerror(number), name)

    monkeypatch.setattr(console, "project", refuse)
    number = errno.EACCES
    done = elek(tmp_path, "why", "x")
    assert done.returncode == 4
    said = f"the system refuses it: {os.strerror(number)}\n  where: {tmp_path / where}\n  fix:   "
    assert done.stderr.startswith(said)
    number = errno.EINVAL
    with pytest.raises(OSError, match=os.strerror(number)):
        elek(tmp_path, "why", "x")


def test_a_page_is_not_begun_where_nobody_may_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The work for it may take minutes."""
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(ParamsError, match="nobody here may write"):
        console.check_page(tmp_path / "new" / "page.html")


def test_both_pages_on_one_port_are_refused(tmp_path: Path) -> None:
    """Before a server starts, with ports that would do."""
    for name in ("dvc.yaml", "params.yaml"):
        (tmp_path / name).write_text("{}\n", encoding="utf-8")
    done = elek(tmp_path, "ui", "--prefect-port", "65535", "--mlflow-port", "65535")
    assert done.returncode == 2
    assert "both cannot listen on port 65535" in done.stderr
    assert "--mlflow-port 1" in done.stderr


def test_version(tmp_path: Path) -> None:
    """--version prints name and number."""
    assert elek(tmp_path, "--version").stdout.startswith("elek 0.")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a trained model."""
    return make_trained_project(tmp_path_factory.mktemp("trained"))


def test_generate_is_seeded(trained: Path) -> None:
    """The same seed continues a text in the same way, and the prompt comes first."""
    arguments = ("generate", "Köyün", "--max-new-tokens", "8", "--json")
    first, again = elek(trained, *arguments), elek(trained, *arguments)
    assert first.returncode == 0, first.stderr
    assert first.stdout == again.stdout
    assert json.loads(first.stdout)["completions"][0]["text"].startswith("Köyün")


def test_generate_without_a_model(tmp_path: Path) -> None:
    """Before training the error says what to run."""
    for name in ("dvc.yaml", "params.yaml"):
        (tmp_path / name).write_text("{}\n", encoding="utf-8")
    done = elek(tmp_path, "generate", "x")
    assert done.returncode == 4
    assert "dvc repro" in done.stderr


def test_doctor_outside_and_inside(trained: Path, tmp_path: Path) -> None:
    """Outside of a project the installation is checked and exit code 1 says that something is wrong."""
    outside = elek_apart(tmp_path, "doctor", "--json")
    findings = {finding["topic"]: finding for finding in json.loads(outside.stdout)}
    assert outside.returncode == 1
    assert findings["project"]["state"] == "wrong"
    assert findings["python"]["state"] == "ok"
    inside = elek_apart(trained, "doctor")
    assert "params.yaml is valid" in inside.stdout
    assert "clean at" in inside.stdout


def test_summary_tells_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The screen has the funnel, the tokens, the model and a sample per language; what nobody measured is a dash."""
    reports = tmp_path / "reports"
    write_json(reports / "fetch.json", {"documents": {"train": 1234, "evaluation": 10}})
    counts = {"in": 1234, "kept": 1000, "dropped": 234, "reasons": {"licence.policy": 34, "toxicity.score": 200}}
    write_json(reports / "filter.json", counts)
    write_json(reports / "dedup.json", {"in": 1000, "kept": 990, "dropped": 10, "reasons": {"dedup.exact": 10}})
    write_json(reports / "split.json", {"in": 990, "kept": 990, "dropped": 0, "reasons": {}})
    write_json(reports / "tokenize.json", {"train": {"tokens": 1_000_000}, "test": {"tokens": 10}})
    write_json(reports / "train.json", {"parameters": 2_500_000})
    write_json(reports / "evaluate.json", {"validation": {"loss": 3.25, "bits_per_byte": 1.5}})
    samples = [
        {"lang": "tr", "prompt": "Bu", "text": " bir\n\nörnek"},
        {"lang": "en", "prompt": "The", "text": "The " + "word " * 100},
        {"lang": "en", "prompt": "A", "text": "A second one"},
    ]
    write_json(tmp_path / "data" / "evaluate" / "samples.json", samples)
    summary.show(tmp_path)
    shown = capsys.readouterr().out
    for text in ("1,234, 10 more held out", "200  toxicity.score", "990", "train 1,000,000, test 10", "Bu bir örnek"):
        assert text in shown
    assert "2,500,000 parameters, – tokens/s" in shown
    assert "loss 3.2500, 1.5000 bits per byte" in shown
    assert shown.index("sample (en)") < shown.index("sample (tr)")
    assert "A second one" not in shown
    assert "elek ui" in shown
    json.dumps(summary.collect(tmp_path))


def test_summary_says_whether_the_baseline_is_reached(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The n-gram model is told in one line, better or beaten; the longest copy with its licence; of a masked model
    the figures are pseudo."""
    source = {"id": "book/1", "source": "book", "license": "MIT"}
    copies = {"held_out": {"longest_overlap": 7, "longest_from": source}}
    copies["train"] = {"longest_overlap": 0, "longest_from": None}

    def screen(bits: float, other: float | None) -> str:
        own = {"loss": 3.0, "bits_per_byte": bits, "bits_per_byte_interval": [bits - 0.125, bits + 0.125]}
        beside = {} if other is None else {"ngram": {"order": 5, "bits_per_byte": other}}
        figures = as_pseudo(own) if other is None else {**own, **beside}
        report = {"validation": figures, "generations": {"memorisation": copies}}
        write_json(tmp_path / "reports" / "evaluate.json", report)
        summary.show(tmp_path)
        return capsys.readouterr().out

    behind = screen(2.0, 1.84)
    assert "5-gram model: 1.8400 bits per byte; the network has not reached it yet" in behind
    assert "2.0000 bits per byte (95 %: 1.88 to 2.12)" in behind
    assert "7 tokens of training text, from book (MIT)" in behind
    assert "5-gram model: 2.5000 bits per byte; beaten by 20.0 %" in screen(2.0, 2.5)
    write_json(tmp_path / "data" / "train" / "config.json", {"objective": "masked"})
    masked = screen(2.0, None)
    assert "pseudo-loss 3.0000, 2.0000 pseudo-bits per byte" in masked
    assert "gram model" not in masked


@pytest.mark.parametrize("named", ["pseudo_bits_per_byte", "bits_per_byte"])
def test_lineage_says_what_was_measured_of_a_masked_model(named: str) -> None:
    """Pseudo-bits, also of a version from before they had a name of their own."""
    tags = {"objective": "masked", f"{named}.test": "0.5"}
    rebuild = Rebuild(None, commit_here=False, lock_here=False, cached=False, reasons=(), commands=(), result="no")
    told = list(backward(Version("elek", 1, (), "run", tags, {}, {}, None, rebuild)))
    assert "  measured  0.5000 pseudo-bits per byte on test" in told
    causal = Version("elek", 1, (), "run", {"bits_per_byte.test": "0.5"}, {}, {}, None, rebuild)
    assert "  measured  0.5000 bits per byte on test" in list(backward(causal))


def test_summary_of_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A project without our reports has no screen."""
    summary.show(tmp_path)
    assert capsys.readouterr().out == ""
