"""`elek`, the command line. Each command imports what it needs when it is called: `--help` must be instant."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from elek import __version__
from elek.errors import ElekError

app = typer.Typer(
    name="elek",
    help="Raw text in, a documented and reproducible small language model out.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # rich alone would take a third of the time that --help may take
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

new = typer.Typer(name="new", help="Begin a part of one's own: `elek new filter NAME`.", no_args_is_help=True)
app.add_typer(new)


class By(StrEnum):
    """What `elek rules` can count by."""

    lang = "lang"
    source = "source"


Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, for programs.")]


def main() -> None:
    """Entry point: an ElekError becomes lines on stderr and its exit code; a bug of ours keeps its traceback."""
    from elek.cli import console

    console.use_utf8()
    try:
        app()
    except ElekError as error:
        console.print_error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        sys.exit(130)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"elek {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Raw text in, a documented and reproducible small language model out."""


@app.command()
def run(json: Json = False) -> None:
    """Run what must run, then register the model."""
    from elek.cli.commands import run

    run(as_json=json)


@app.command()
def ui(
    prefect_port: Annotated[int, typer.Option(help="Port of Prefect's pages.", min=1, max=65535)] = 4200,
    mlflow_port: Annotated[int, typer.Option(help="Port of MLflow's pages.", min=1, max=65535)] = 5000,
) -> None:
    """Serve the pages of Prefect and MLflow, for this machine only."""
    from elek.cli.ui import serve

    serve(prefect_port=prefect_port, mlflow_port=mlflow_port)


@app.command()
def schedule(
    cron: Annotated[str | None, typer.Option(help='When to run, as in "0 3 * * *".')] = None,
    every: Annotated[float | None, typer.Option(help="Or: run every so many minutes.", min=0.1)] = None,
    timezone: Annotated[str, typer.Option(help="Time zone of --cron, as in Europe/Istanbul.")] = "UTC",
) -> None:
    """Run the pipeline at set times, beside `elek ui`."""
    from elek.cli.commands import schedule

    schedule(cron=cron, every=every, timezone=timezone)


@app.command()
def register(
    promote: Annotated[bool, typer.Option(help="Make it champion without comparing it with the present one.")] = False,
    json: Json = False,
) -> None:
    """Register the last run's model, where it is not there already."""
    from elek.cli.commands import register

    register(promote=promote, as_json=json)


Version = Annotated[str | None, typer.Option(help="A registered version or alias (3, champion) instead of data/train.")]


@app.command()
def generate(
    prompt: Annotated[str | None, typer.Argument(help="How the text begins; without it, or as -, from stdin.")] = None,
    file: Annotated[
        Path | None, typer.Option(help="Continue every line of a UTF-8 file, or each `prompt` of a .jsonl file.")
    ] = None,
    model: Version = None,
    max_new_tokens: Annotated[int, typer.Option(help="At most so many tokens.", min=0)] = 64,
    temperature: Annotated[
        float | None, typer.Option(help="0 takes the likeliest token always; by default 0.8.", min=0)
    ] = None,
    top_k: Annotated[int | None, typer.Option(help="Only the k likeliest tokens; 0 for all; by default 50.")] = None,
    top_p: Annotated[
        float | None, typer.Option(help="Only the likeliest tokens of this probability together; by default 0.95.")
    ] = None,
    min_p: Annotated[
        float | None, typer.Option(help="Only tokens of at least this share of the likeliest one's probability.")
    ] = None,
    repetition_penalty: Annotated[float, typer.Option(help="Above 1: what was said before is less likely.")] = 1.0,
    beams: Annotated[
        int | None, typer.Option(help="Search the likeliest whole text with so many beams, drawing nothing.", min=1)
    ] = None,
    length_penalty: Annotated[
        float | None, typer.Option(help="Of beams: above 0 longer texts gain, below 0 shorter; by default 1.")
    ] = None,
    stop: Annotated[list[str] | None, typer.Option(help="End the text before this; may be given repeatedly.")] = None,
    num: Annotated[int, typer.Option(help="Texts per prompt, with the seeds that follow --seed.", min=1)] = 1,
    seed: Annotated[int, typer.Option(help="The same seed, the same text.")] = 0,
    explain: Annotated[
        int, typer.Option(help="Show each token's probability and so many candidates beside it.", min=0)
    ] = 0,
    stream: Annotated[bool, typer.Option(help="Print the text as it is written.")] = True,
    json: Json = False,
) -> None:
    """Continue a text with the model."""
    from elek.cli.generate import generate

    drawing = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "min_p": min_p}
    generate(
        prompt,
        file,
        model,
        {"max_new_tokens": max_new_tokens, "stop": tuple(stop or ()), "samples": num, "seed": seed},
        {name: value for name, value in drawing.items() if value is not None},
        repetition_penalty=repetition_penalty,
        beams=beams,
        length_penalty=length_penalty,
        explain=explain,
        stream=stream,
        as_json=json,
    )


@app.command()
def attention(
    text: Annotated[str, typer.Argument(help="The text that the model reads.")],
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("attention.html"),
    model: Version = None,
) -> None:
    """Draw what the model looks at in a text, and how it is surprised, as a page of its own."""
    from elek.cli.attention import attention

    attention(text, out, model)


@app.command()
def serve(
    model: Version = None,
    port: Annotated[int, typer.Option(help="Port on this machine; 0 for any free one.", min=0, max=65535)] = 8000,
    max_tokens: Annotated[int, typer.Option(help="Most tokens that one request may ask for.", min=1)] = 1024,
    queue: Annotated[int, typer.Option(help="Requests that may wait; more are told to come back.", min=0)] = 8,
    timeout: Annotated[float, typer.Option(help="Seconds that one request may take.", min=0.1)] = 60.0,
) -> None:
    """Serve the model to programs and a browser on this machine."""
    from elek.cli.serve import serve

    serve(model, port=port, max_tokens=max_tokens, queue=queue, timeout=timeout)


@app.command()
def fill(
    text: Annotated[str, typer.Argument(help='A text with one or more [MASK], as in "The [MASK] ran."')],
    top_k: Annotated[int, typer.Option(help="Show the k likeliest pieces.", min=1)] = 5,
    joint: Annotated[bool, typer.Option("--joint", help="Fill several masks in one pass, not one by one.")] = False,
    max_pieces: Annotated[
        int, typer.Option(help="Above 1: a mask is a whole word of at most so many pieces.", min=1)
    ] = 1,
    json: Json = False,
) -> None:
    """Fill in what is masked, with a model of `train.objective: masked`."""
    from elek.cli.fill import fill

    fill(text, top_k=top_k, joint=joint, max_pieces=max_pieces, as_json=json)


@app.command()
def explain(
    params: Annotated[Path, typer.Option(help="File whose section `train` is explained.")] = Path("params.yaml"),
    json: Json = False,
) -> None:
    """Tell what the model and its training cost: parameters, operations, memory."""
    from elek.cli.explain import explain

    explain(params, as_json=json)


@app.command()
def lr(
    low: Annotated[float, typer.Option(help="The lowest rate tried, times those in params.yaml.")] = 0.01,
    high: Annotated[float, typer.Option(help="The highest one.")] = 30.0,
    steps: Annotated[int, typer.Option(help="Batches; each takes one training step's time.", min=10)] = 80,
    out: Annotated[str | None, typer.Option(help="File for the picture, instead of .cache/lr.html.")] = None,
    json: Json = False,
) -> None:
    """Find a learning rate: a short run in which it rises until the loss does."""
    from pathlib import Path

    from elek.cli.lr import lr

    lr(low=low, high=high, steps=steps, out=Path(out) if out else None, as_json=json)


@app.command()
def why(
    doc_id: Annotated[str, typer.Argument(help="Id of a document, as reports and datasets name it.")],
    json: Json = False,
) -> None:
    """Tell all that happened to one document: every rule with its margin, and where its tokens went."""
    from elek.cli.why import why

    why(doc_id, as_json=json)


vocab_app = typer.Typer(help="Look at vocabularies.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(vocab_app, name="vocab")


@vocab_app.command("compare")
def vocab_compare(
    size: Annotated[int | None, typer.Option(help="Pieces of each; by default vocab.size.", min=300)] = None,
    megabytes: Annotated[float, typer.Option(help="Training text to learn from, in 10^6 bytes.", min=0.01)] = 10,
    out: Annotated[Path | None, typer.Option(help="Write a page with pictures there.")] = None,
    json: Json = False,
) -> None:
    """Train SentencePiece, tokenizers, tiktoken and whole words on the same text, and set them side by side."""
    from elek.cli.vocab import compare

    compare(size, megabytes, out, as_json=json)


@app.command()
def rules(
    by: Annotated[By | None, typer.Option(help="Count by language or by source, too.")] = None,
    json: Json = False,
) -> None:
    """Tell how often each rule fires, which go together, and which are dead; from stored signals."""
    from elek.cli.rules import rules

    rules(by=None if by is None else by.value, as_json=json)


@app.command()
def lineage(
    name: Annotated[str, typer.Argument(help="A model version (3, champion), a source, or the id of a document.")],
    json: Json = False,
) -> None:
    """Tell what a model version was made from, or which versions learned from a source or a document."""
    from elek.cli.lineage import lineage

    lineage(name, as_json=json)


@new.command("filter")
def new_filter(
    name: Annotated[str, typer.Argument(help="What it looks at, as a Python name: `capital_letters`.")],
) -> None:
    """Write a filter of one's own, and its test, into this checkout."""
    from elek.cli.new import new_filter

    new_filter(name)


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
    json: Json = False,
) -> None:
    """Clean, measure, filter and deduplicate files of one's own; say why for every document."""
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
        as_json=json,
    )


_classifier = typer.Typer(
    name="classifier", help="Train and judge classifiers of toxicity and quality.", no_args_is_help=True,
    rich_markup_mode=None,
)  # fmt: skip
app.add_typer(_classifier)

TextColumn = Annotated[str, typer.Option(help="Column that holds the text.")]
LabelColumn = Annotated[str, typer.Option(help="Column that holds the label.")]
Positive = Annotated[list[str] | None, typer.Option(help="A label of the positive class; by default 1 and true.")]
Lang = Annotated[str | None, typer.Option(help="Language of every row without one; by default it is identified.")]


@_classifier.command("train")
def classifier_train(
    task: Annotated[str, typer.Option(help="What it is to tell: toxicity or quality.")],
    data: Annotated[list[str], typer.Option(help="A labelled file: .jsonl, .csv, .parquet; may be repeated.")],
    out: Annotated[str, typer.Option(help="Folder to write the model to.")],
    more: Annotated[
        list[str] | None, typer.Argument(help="Further labelled files, as in --data a.jsonl b.jsonl.")
    ] = None,
    text_column: TextColumn = "text",
    label_column: LabelColumn = "label",
    positive: Positive = None,
    lang: Lang = None,
    license: Annotated[str, typer.Option(help="Licence of the data, as an SPDX expression.")] = "NOASSERTION",
    seed: Annotated[int, typer.Option(help="Order of training, and what is held out.", min=0)] = 1,
    bits: Annotated[int, typer.Option(help="2^bits weights of 4 bytes.")] = 18,
    epochs: Annotated[int, typer.Option(help="Passes over the documents.")] = 8,
    alpha: Annotated[float, typer.Option(help="Learning rate.")] = 1.0,
    l1: Annotated[float, typer.Option(help="Weights whose evidence is weaker become 0.")] = 0.0,
    l2: Annotated[float, typer.Option(help="How strongly weights are drawn to 0.")] = 0.3,
    json: Json = False,
) -> None:
    """Train a linear classifier over hashed n-grams on labelled text."""
    from elek.cli.classifier import train

    options = {"seed": seed, "bits": bits, "epochs": epochs, "alpha": alpha, "l1": l1, "l2": l2}
    columns = {"text_column": text_column, "label_column": label_column, "positive": positive, "lang": lang}
    train(task, [*data, *(more or [])], out, columns=columns, license=license, options=options, as_json=json)


@_classifier.command("evaluate")
def classifier_evaluate(
    model: Annotated[str, typer.Argument(help="Folder of a model.")],
    files: Annotated[list[str], typer.Argument(help="Labelled files.")],
    text_column: TextColumn = "text",
    label_column: LabelColumn = "label",
    positive: Positive = None,
    lang: Lang = None,
    threshold: Annotated[float, typer.Option(help="Probability above which a text is positive.")] = 0.5,
    json: Json = False,
) -> None:
    """Judge a classifier on labelled text that it was not trained on."""
    from elek.cli.classifier import evaluate

    columns = {"text_column": text_column, "label_column": label_column, "positive": positive, "lang": lang}
    evaluate(model, files, columns=columns, threshold=threshold, as_json=json)


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
    """Tell what other settings would keep, drop and gain, from stored signals: nothing is run or changed."""
    from elek.cli.whatif import whatif

    whatif(set_ or [], unset or [], examples, as_json=json)


@app.command()
def doctor(json: Json = False) -> None:
    """Check the installation and the project, and say what to do."""
    from elek.cli.doctor import doctor

    doctor(as_json=json)
