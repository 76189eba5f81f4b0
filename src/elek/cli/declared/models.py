"""Working with a model, and planning one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from elek.cli.declared.program import Json, app

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
        int | None,
        typer.Option(help="Search the likeliest whole text with so many beams, drawing nothing.", min=1, max=100),
    ] = None,
    length_penalty: Annotated[
        float | None, typer.Option(help="Of beams: above 0 longer texts gain, below 0 shorter; by default 1.")
    ] = None,
    stop: Annotated[list[str] | None, typer.Option(help="End the text before this; may be given repeatedly.")] = None,
    num: Annotated[int, typer.Option(help="Texts per prompt, with the seeds that follow --seed.", min=1, max=1000)] = 1,
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
    """Draw what the model looks at in a text. A page of its own, which also shows how each token surprised it."""
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
    """Fill in what is masked. Needs a model of `train.objective: masked`."""
    from elek.cli.fill import fill

    fill(text, top_k=top_k, joint=joint, max_pieces=max_pieces, as_json=json)


@app.command()
def explain(
    params: Annotated[Path, typer.Option(help="File whose section `train` is explained.")] = Path("params.yaml"),
    json: Json = False,
) -> None:
    """Tell what a model will cost. Parameters, operations, memory and time, before it is trained."""
    from elek.cli.explain import explain

    explain(params, as_json=json)


@app.command()
def lr(
    low: Annotated[float, typer.Option(help="The lowest rate tried, times those in params.yaml.")] = 0.01,
    high: Annotated[float, typer.Option(help="The highest one.")] = 30.0,
    steps: Annotated[int, typer.Option(help="Batches; each takes one training step's time.", min=10)] = 80,
    out: Annotated[Path | None, typer.Option(help="File for the picture, instead of .cache/lr.html.")] = None,
    json: Json = False,
) -> None:
    """Find a learning rate. In a short run it rises until the loss does."""
    from elek.cli.lr import lr

    lr(low=low, high=high, steps=steps, out=out, as_json=json)
