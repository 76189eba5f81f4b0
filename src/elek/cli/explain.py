"""`elek explain`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from elek.cli import console
from elek.errors import DataError
from elek.training.explain import Costs


def explain(path: Path, *, as_json: bool) -> None:
    """Tables of what the model of `path`'s section `train` costs. Raises ParamsError where the file is wrong."""
    from elek import params
    from elek.dataset import MANIFEST
    from elek.training.explain import explain as count
    from elek.training.params import TrainParams
    from elek.training.runtime import choose_runtime
    from elek.vocab.params import VocabParams

    train = params.load(path, "train", TrainParams)
    project = path.resolve().parent
    manifest = _json(project / "data" / "tokenize" / "train" / MANIFEST)
    size = manifest["tokenizer"]["size"] if "tokenizer" in manifest else params.load(path, "vocab", VocabParams).size
    config = train.config(size)
    corpus = sum(part.get("counts", {}).get("tokens", 0) for part in manifest.get("parts", []))
    precision = choose_runtime(train.precision).precision
    costs = count(config, train, precision, corpus or None)
    time = _time(costs, _json(project / ".cache" / "timings" / "train.json"))
    if as_json:
        console.print_json({**asdict(costs), "flops": costs.flops, "precision": precision, "time": time})
    else:
        processes = train.distributed.processes
        work = f"{min(train.batch // processes, train.micro_batch)} × {config.context} tokens at once in {precision}"
        _show(costs, work if processes == 1 else f"each of {processes} processes, {work}", time)


def _time(costs: Costs, timings: Mapping[str, Any]) -> dict[str, float] | None:
    """Seconds of the run at this machine's peak, if a training measured that, and at the share which that reached."""
    peak = timings.get("peak_flops_per_second")
    if not peak:
        return None
    found = {"peak_flops_per_second": float(peak), "seconds_at_peak": costs.flops / peak}
    if timings.get("mfu"):
        found |= {"mfu": float(timings["mfu"]), "seconds": costs.flops / peak / timings["mfu"]}
    return found


def _show(costs: Costs, work: str, time: dict[str, float] | None) -> None:
    shape = costs.shape
    console.say(f"shape        {_shape(shape)}")
    rates = {"AdamW": shape["learning_rate"], "Muon": shape.get("matrix_learning_rate")}
    console.say(f"rates        {', '.join(f'{rate} {name}' for name, rate in rates.items() if rate)}")
    console.say("\nderived")
    for name, law in costs.derived.items():
        console.say(f"  {name:<22}{shape[name]:>10,}  {law}")
    _table("parameters", costs.parameters, "{:,}".format)
    _table("operations per token, forward", costs.forward_flops, "{:,}".format)
    _row("training, as kernels are counted", f"{costs.training_flops:,}")
    _row("training, as MFU counts", f"{costs.model_flops:,}")
    console.say(f"\nmemory of training, {work}")
    console.say(f"  {'':<34}{'at its most':>16}{'when all is most':>18}")
    for name, most in costs.memory.items():
        told, at_peak = name.replace("feed_forward", "feed-forward"), costs.memory_at_peak.get(name, 0)
        console.say(f"  {told:<34}{_mebibytes(most):>16}{_mebibytes(at_peak):>18}")
    console.say(f"  {'together':<34}{'':>16}{_mebibytes(costs.peak_memory):>18}")
    if costs.cache_per_token:
        console.say(f"\nKV cache     {costs.cache_per_token:,} bytes per token in float32")
    epochs = f", {costs.epochs:.2f} times the text" if costs.epochs else ""
    console.say(f"run          {costs.tokens:,} tokens{epochs}, {costs.flops:.3g} operations")
    advised, steps = costs.advised_tokens, shape["steps"]
    needed = -(-advised * steps // costs.tokens)
    instead = f"{needed:,} steps instead of {steps:,}" if needed != steps else "what these steps see"
    console.say(f"advice       20 tokens per parameter of the blocks are {advised:,}: {instead}")
    if not time:
        console.say("time         unknown: no training has measured this machine's peak yet")
        return
    reached = f", {_clock(time['seconds'])} at the {time['mfu']:.0%} that the last run reached" if "mfu" in time else ""
    console.say(f"time         {_clock(time['seconds_at_peak'])} at this machine's measured peak{reached}")


def _shape(shape: Mapping[str, Any]) -> str:
    heads = f"{shape['heads']} heads of {shape['head_dim']}" + (
        f" sharing {shape['kv_heads']} keys and values" if shape["kv_heads"] != shape["heads"] else ""
    )
    sizes = f"{shape['layers']} layers, {shape['width']} wide, {heads}, {shape['mlp']} of {shape['ffn']}"
    return f"{shape['objective']}: {sizes}, {shape['norm']}, positions {shape['positions']}"


def _table(title: str, rows: Mapping[str, int], form: Any) -> None:
    console.say(f"\n{title}")
    total = sum(rows.values())
    for name, value in rows.items():
        if value:
            _row(name.replace("feed_forward", "feed-forward"), f"{form(value)}  {value / total:4.0%}")
    _row("together", form(total))


def _row(name: str, value: str) -> None:
    number, _, share = value.partition("  ")
    console.say(f"  {name:<34}{number:>16}  {share}".rstrip())


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB"


def _clock(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{seconds / 60:.1f} min"


def _json(path: Path) -> dict[str, Any]:
    """What a file of ours says; nothing where it is not there yet."""
    if not path.is_file():
        return {}
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"damaged: {error}", where=str(path), fix="remove it, and run `dvc repro`") from None
    return found
