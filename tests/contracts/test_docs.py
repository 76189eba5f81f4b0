"""What the documentation shows: commands parse, params are valid, links lead somewhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import typer
from ruamel.yaml import YAML

from elek.cli import app
from elek.params import SECTIONS, validate
from elek.sources.params import FilesSource, HuggingFaceSource, PackageSource
from tests.conftest import ROOT

PAGES = [
    *(ROOT / name for name in ("README.md", "README.tr.md", "CHANGELOG.md", "benchmarks/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]

COMMAND: Any = typer.main.get_command(app)
PARAMS: Any = YAML(typ="safe").load((ROOT / "params.yaml").read_text(encoding="utf-8"))

FENCE = re.compile(r"^(?P<fence>```+)(?P<kind>\w*)[^\n]*\n(?P<body>.*?)^(?P=fence)[ ]*$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"!?\[[^\]]*\]\(([^()\s]+)\)")


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def words_of(line: str) -> list[str] | None:
    """The words behind `elek`, up to a comment or to what the shell takes; None for another program's line."""
    line = re.sub(r"^(\$|>|PS>)\s+", "", line.strip())
    if not re.match(r"elek(\s|$)", line):
        return None
    words = shlex.split(line, comments=True)
    ends = [index for index, word in enumerate(words) if word in {"|", ">", ">>", "<", "&", "&&", ";"}]
    return words[1 : ends[0] if ends else None]


def typed(text: str) -> Iterator[list[str]]:
    """Every `elek …` line of a code block: what a reader copies, and therefore complete."""
    for block in FENCE.finditer(text):
        if block["kind"] in {"", "bash", "console", "powershell", "text"}:
            for line in block["body"].replace("\\\n", " ").splitlines():
                words = words_of(line)
                if words:
                    yield words


def named(text: str) -> Iterator[list[str]]:
    """Every `elek …` in a sentence: perhaps a command's name alone, or with arguments left to the reader."""
    for span in SPAN.findall(FENCE.sub("", text)):
        words = words_of(span)
        if words and not any("…" in word for word in words):
            yield words


def parse(words: Sequence[str]) -> None:
    """Parse as the command line does, run nothing; whatever it raises is what a reader would be told."""
    command, context = COMMAND, None
    name, rest = "elek", list(words)
    with suppress(typer.Exit):  # --help and --version leave
        while hasattr(command, "resolve_command"):
            context = command.context_class(command, info_name=name, parent=context, **command.context_settings)
            command.parse_args(context, list(rest))
            name, command, rest = command.resolve_command(context, rest)
        command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("name", NAMES)
def test_commands_in_blocks_parse(name: str) -> None:
    """Every `elek` line that a reader can copy has a command, options and values that exist."""
    for words in typed(text_of(ROOT / name)):
        try:
            parse(words)
        except Exception as error:  # noqa: BLE001 - typer's own class of error is private
            pytest.fail(f"{name}: `elek {' '.join(words)}`: {getattr(error, 'message', None) or error!r}")


@pytest.mark.parametrize("name", NAMES)
def test_commands_in_sentences_exist(name: str) -> None:
    """Every command that a sentence names exists, with its options; arguments may be left out there."""
    for words in named(text_of(ROOT / name)):
        try:
            parse(words)
        except Exception as error:  # noqa: BLE001
            if type(error).__name__ not in {"MissingParameter", "NoArgsIsHelpError"}:
                pytest.fail(f"{name}: `elek {' '.join(words)}`: {getattr(error, 'message', None) or error!r}")


def test_the_check_sees_what_is_wrong() -> None:
    """A misspelt command, an unknown option, a missing argument and a value out of range do not pass."""
    for line in ("elek genrate x", "elek why --jason x", "elek why", "elek vocab compare --size 2", "elek new filtr x"):
        [words] = typed(f"```\n{line}\n```\n")
        with pytest.raises(Exception) as caught:  # noqa: PT011 - typer's own class of error is private
            parse(words)
        assert type(caught.value).__name__ in {"UsageError", "NoSuchOption", "MissingParameter", "BadParameter"}, line


@pytest.mark.parametrize("name", NAMES)
def test_params_in_blocks_are_valid(name: str) -> None:
    """Every YAML block that shows sections of params.yaml is one that a run would take."""
    for block in FENCE.finditer(text_of(ROOT / name)):
        if block["kind"] != "yaml" or "…" in block["body"]:
            continue
        shown = YAML(typ="safe").load(block["body"])
        if isinstance(shown, dict) and set(shown) <= set(SECTIONS):
            validate({**PARAMS, **shown})


def slug(heading: str) -> str:
    """The anchor that GitHub makes of a heading."""
    plain = re.sub(r"[^\w\s-]", "", heading.strip().lower())
    return plain.replace(" ", "-")


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    """Every relative link points at a file or folder that is there, and its anchor at a heading of that page."""
    page = ROOT / name
    for target in LINK.findall(FENCE.sub("", text_of(page))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.is_relative_to(ROOT), f"{name}: {target} leads out of the repository"
        assert file.exists(), f"{name}: {target} is not there"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text_of(file)), re.MULTILINE)
            assert anchor in map(slug, headings), f"{name}: {target} names no heading"


def there(name: str) -> bool:
    """Whether a module such as `elek.dedup.urls`, or a name in it, is in the source."""
    parts = name.split(".")
    for end in range(len(parts), 1, -1):
        for file in (
            ROOT.joinpath("src", *parts[:end], "__init__.py"),
            ROOT.joinpath("src", *parts[:end]).with_suffix(".py"),
        ):
            if file.is_file():
                code = text_of(file)
                return all(re.search(rf"\b{part}\b", code) for part in parts[end:])
    return False


@pytest.mark.parametrize("name", NAMES)
def test_what_is_named_is_there(name: str) -> None:
    """Every module, and every file of the checkout, that a sentence names; modules move, and sentences stay."""
    for span in SPAN.findall(FENCE.sub("", text_of(ROOT / name))):
        if re.fullmatch(r"elek(\.\w+)+", span):
            assert there(span), f"{name}: there is no {span}"
        elif re.fullmatch(r"(src|stages|flows|tests|benchmarks|docs)/[\w./-]+", span) and "NAME" not in span:
            assert (ROOT / span).exists(), f"{name}: there is no {span}"


def test_every_command_is_told_of() -> None:
    """A command that no page names is one that nobody finds."""
    told = {
        words[0] for name in NAMES for words in (*typed(text_of(ROOT / name)), *named(text_of(ROOT / name))) if words
    }
    assert set(COMMAND.commands) - told == set()


def test_every_key_of_a_source_is_on_its_page() -> None:
    """docs/sources.md has all that a source can say."""
    keys = {key for kind in (FilesSource, HuggingFaceSource, PackageSource) for key in kind.model_fields}
    assert keys - set(SPAN.findall(text_of(ROOT / "docs" / "sources.md"))) == set()


def test_every_page_can_be_found() -> None:
    """Every page below docs/ is linked from docs/README.md or from the course's own list."""
    docs = ROOT / "docs"
    linked = {
        (page.parent / target.partition("#")[0]).resolve()
        for page in (docs / "README.md", docs / "ders" / "README.md")
        for target in LINK.findall(text_of(page))
    }
    assert [page.as_posix() for page in docs.rglob("*.md") if page not in linked and page != docs / "README.md"] == []
