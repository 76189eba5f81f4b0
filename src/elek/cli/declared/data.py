"""Looking at data: one's own files, documents, rules, sources, vocabularies."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from elek.cli.declared.program import Json, app

new = typer.Typer(name="new", help="Begin a part of one's own: `elek new filter NAME`.", no_args_is_help=True)
app.add_typer(new)
vocab_app = typer.Typer(help="Look at vocabularies.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(vocab_app, name="vocab")


class By(StrEnum):
    """What `elek rules` can count by."""

    lang = "lang"
    source = "source"


@app.command()
def curate(
    files: Annotated[
        list[str], typer.Argument(help="JSONL, Parquet, CSV or text files, globs, folders; also gz, zst.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for documents, signals, decisions and the report.")],
    preset: Annotated[str | None, typer.Option(help="Only these rules: gopher, c4, fineweb, fineweb2-turkish.")] = None,
    words: Annotated[str | None, typer.Option(help="What the rules count as words: whitespace or unicode.")] = None,
    skip: Annotated[
        list[str] | None, typer.Option(help="Stages to leave out: clean, filter, dedup, with commas.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes; 0 takes one per core.", min=0, max=61)] = 0,
    license: Annotated[str | None, typer.Option(help="SPDX licence of documents that declare none.")] = None,
    lang: Annotated[str | None, typer.Option(help="Language of documents that declare none, as in tr.")] = None,
    encoding: Annotated[
        str, typer.Option(help="Encodings of the files, the first that fits: utf-8,windows-1254 for old Turkish ones.")
    ] = "utf-8",
    params: Annotated[Path | None, typer.Option(help="A params.yaml: its clean, annotate, filter, dedup.")] = None,
    against: Annotated[
        list[Path] | None, typer.Option(help="An earlier result: what it kept is not kept again. May be given again.")
    ] = None,
    json: Json = False,
) -> None:
    """Clean, measure, filter and deduplicate files of one's own. Says why for every document."""
    from elek.cli.curate import curate

    curate(
        files,
        out=out,
        preset=preset,
        words=words,
        skip=[name.strip() for names in skip or [] for name in names.split(",") if name.strip()],
        workers=workers,
        license=license,
        lang=lang,
        encodings=[name.strip() for name in encoding.split(",") if name.strip()],
        params=params,
        against=against or [],
        as_json=json,
    )


@app.command()
def why(
    doc_id: Annotated[str, typer.Argument(help="Id of a document, as reports and datasets name it.")],
    json: Json = False,
) -> None:
    """Tell all that happened to one document. Every rule with its margin, and where its tokens went."""
    from elek.cli.why import why

    why(doc_id, as_json=json)


@app.command()
def rules(
    by: Annotated[By | None, typer.Option(help="Count by language or by source, too.")] = None,
    json: Json = False,
) -> None:
    """Tell how often each rule fires, and which are dead. From stored signals; also which go together."""
    from elek.cli.rules import rules

    rules(by=None if by is None else by.value, as_json=json)


@app.command()
def whatif(
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A key of filter, dedup or split, as in params.yaml."),
    ] = None,
    unset: Annotated[list[str] | None, typer.Option(metavar="KEY", help="Take a key out, such as a filter.")] = None,
    examples: Annotated[int, typer.Option(help="So many documents gained, and lost.", min=0)] = 5,
    json: Json = False,
) -> None:
    """Tell what other settings would keep, drop and gain. From stored signals: nothing is run or changed."""
    from elek.cli.whatif import whatif

    whatif(set_ or [], unset or [], examples, as_json=json)


@app.command()
def lineage(
    name: Annotated[str, typer.Argument(help="A model version (3, champion), a source, or the id of a document.")],
    json: Json = False,
) -> None:
    """Tell what a model version was made from. Of a source or a document: which versions learned from it."""
    from elek.cli.lineage import lineage

    lineage(name, as_json=json)


@new.command("filter")
def new_filter(
    name: Annotated[str, typer.Argument(help="What it looks at, as a Python name: `capital_letters`.")],
) -> None:
    """Write a filter of one's own, and its test, into this checkout."""
    from elek.cli.new import new_filter

    new_filter(name)


@vocab_app.command("compare")
def vocab_compare(
    size: Annotated[int | None, typer.Option(help="Pieces of each; by default vocab.size.", min=300)] = None,
    megabytes: Annotated[float, typer.Option(help="Training text to learn from, in 10^6 bytes.", min=0.01)] = 10,
    out: Annotated[Path | None, typer.Option(help="Write a page with pictures there.")] = None,
    json: Json = False,
) -> None:
    """Train vocabularies on the same text and compare them. SentencePiece, tokenizers, tiktoken, whole words."""
    from elek.cli.vocab import compare

    compare(size, megabytes, out, as_json=json)
