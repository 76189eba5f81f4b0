"""`elek classifier`: train one, and judge one."""

from __future__ import annotations

from typing import Annotated

import typer

from elek.cli.declared.program import Json, app

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
