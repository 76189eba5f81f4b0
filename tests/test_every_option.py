"""Every value of every option learns from real text, goes on after `kill -9`, and is exported or refused by name."""

from __future__ import annotations

import math
import signal
import sys
from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import cycle
from operator import eq, is_, is_not
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import numpy as np
import pytest
import torch
from pydantic import BaseModel

from elek.errors import ParamsError
from elek.export.tokenizer import export_tokenizer
from elek.export.weights import export_model
from elek.model.transformer import Transformer
from elek.shards import TokenShards, write_shard, write_shards_manifest
from elek.training.params import TrainParams
from elek.training.runtime import has_compiler
from elek.vocab.params import VocabParams
from elek.vocab.tokenizer import SPECIAL_PIECES, Tokenizer
from elek.vocab.training import train_vocabulary
from tests.apart import run_apart
from tests.options import FILES, ROWS, Override, params_of, train, train_apart
from tests.vocabulary import documents, write_dataset

transformers = pytest.importorskip("transformers")


def text() -> list[str]:
    """PyTorch's own documentation of its functions, paragraph by paragraph: the same text under every Python."""
    whole = Path(torch.__file__).with_name("_torch_docs.py").read_text(encoding="utf-8")
    return [paragraph for paragraph in whole[:130_000].split("\n\n") if paragraph.strip()]


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Params of a vocabulary → a folder with it, and with shards of real text to train and to validate on."""

    @cache
    def project(asked: str) -> Path:
        folder = tmp_path_factory.mktemp("project")
        paragraphs = text()
        parts = {"train": paragraphs[:-200], "validation": paragraphs[-200:]}
        datasets = {name: write_dataset(folder / "split" / name, [documents(part)]) for name, part in parts.items()}
        (folder / "tokenizer.model").write_bytes(
            train_vocabulary(datasets["train"], VocabParams.model_validate_json(asked))[0]
        )
        tokenizer = Tokenizer.load(folder)
        for name, dataset in datasets.items():
            (folder / name).mkdir()
            table = dataset.read(0)
            column = tokenizer.encode_documents(table["text"].combine_chunks())
            shard = write_shard(folder / name, 0, table, column)
            write_shards_manifest(folder / name, [shard], tokenizer, parent=dataset.digest)
        return folder

    return lambda params: project(params.model_dump_json())


def unigram_entropy(project: Path, objective: str) -> float:
    """Nats per token of who knows how often each comes in the validation text itself, and nothing else."""
    tokens = TokenShards(project / "validation").arrays[0]
    asked = tokens if objective == "causal" else tokens[tokens >= len(SPECIAL_PIECES)]
    shares = np.bincount(asked) / len(asked)
    return -sum(share * math.log(share) for share in shares if share)


needs_compiler = pytest.mark.skipif(not has_compiler(torch.device("cpu")), reason="there is no C++ compiler here")
CASES = [
    pytest.param(name, fatal, id=name, marks=[pytest.mark.slow, needs_compiler] if name == "compile" else [])
    for name, fatal in zip(ROWS, cycle(FILES), strict=False)
]


@pytest.mark.parametrize(("name", "fatal"), CASES)
def test_every_option(name: str, fatal: str, projects: Any, tmp_path: Path) -> None:
    """Below the unigram entropy; the same bits after a kill inside a checkpoint; exported, or refused by name."""
    vocab, params = params_of(name)
    assert params.micro_batch < params.batch
    project, whole, cut, log = projects(vocab), tmp_path / "whole", tmp_path / "cut", tmp_path / "log"

    trained = train(name, project, whole)
    assert trained.validation_loss < unigram_entropy(project, params.objective)

    victim = run_apart(train_apart, name, project, cut, tmp_path / "ckpt", log, fatal)
    assert victim == -signal.SIGKILL if sys.platform != "win32" else victim != 0
    assert list((tmp_path / "ckpt").glob(f"*/.step-*.tmp/{fatal}")), "it died elsewhere"
    assert not cut.exists()
    second = run_apart(train_apart, name, project, cut, tmp_path / "ckpt", log, "")
    told = log.read_text(encoding="utf-8")
    assert second == 0, told
    assert f"going on from the checkpoint of step {params.checkpoint_every}\n" in told
    for file in ("model.safetensors", "state.json", "state.safetensors"):
        assert (whole / file).read_bytes() == (cut / file).read_bytes(), file
    if params.on_spike != "stop":  # there were some on both sides of the checkpoint
        steps = [spike.step for spike in trained.spikes]
        assert min(steps) <= params.checkpoint_every < max(steps)
    if params.validation.patience:  # so does the wait for better weights than the best
        assert trained.step <= params.checkpoint_every < trained.history[-1].step < params.steps

    if export(project, trained.model, tmp_path / "export", ROWS[name]):
        check_export(project, trained.model, tmp_path / "export")


def export(project: Path, model: Transformer, folder: Path, row: Override) -> bool:
    """Whether the model and its vocabulary are written; where not, the error names what this row asks for."""
    folder.mkdir()
    try:
        export_tokenizer(folder, Tokenizer.load(project), model.config)
        export_model(folder, model)
    except ParamsError as error:
        told, train = str(error), row.get("train", {})
        asked = {f"train.model.{key}": value for key, value in train.get("model", {}).items()}
        asked |= {"train.objective": train.get("objective"), "vocab.kind": row.get("vocab", {}).get("kind")}
        assert any(key in told and value and str(value).lower() in told.lower() for key, value in asked.items()), told
        return False
    return True


def check_export(project: Path, model: Transformer, folder: Path) -> None:
    """transformers loads every weight, computes the same logits, and cuts text into the same pieces."""
    architecture = transformers.AutoConfig.from_pretrained(folder).architectures[0]
    theirs, loading = getattr(transformers, architecture).from_pretrained(folder, output_loading_info=True)
    assert not any(loading.values()), loading
    validation = TokenShards(project / "validation")
    tokens = torch.from_numpy(validation.window(0, 4 * model.config.context).astype(np.int64)).view(4, -1)
    with torch.inference_mode():
        torch.testing.assert_close(theirs.eval()(tokens).logits, model(tokens), atol=1e-5, rtol=0)
    tokenizer, passage = Tokenizer.load(project), "\n\n".join(text()[-3:])
    cut = transformers.AutoTokenizer.from_pretrained(folder)
    assert cut(passage, add_special_tokens=False).input_ids == tokenizer.encode(passage)


ELSEWHERE = {
    "train.distributed.kind": "tests/training/test_distributed.py, which starts several processes",
    "train.seed": "no seed means off",
}
"""Options whose values need no row, and why."""


def required(cls: type[BaseModel], prefix: str) -> Iterator[tuple[str, object, Callable[[Any], bool]]]:
    """Option, value, and whether a value is that one, for all that rows must try.

    Of an option of a few values, each; of one that may be null, null and another; of a number or a list that by default
    is 0 or empty and so means off, one that is on. Other numbers are tried by the tests of what they are for.
    """
    for name, field in cls.model_fields.items():
        key, kind = prefix + name, field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from required(kind, f"{key}.")
        elif kind is bool or get_origin(kind) is Literal:
            for value in get_args(kind) or (False, True):
                yield key, value, partial(eq, value)
        elif type(None) in get_args(kind):
            yield key, None, partial(is_, None)
            yield key, "not null", partial(is_not, None)
        elif field.default == 0 or field.default_factory is list:
            yield key, "on", bool


def options_of(section: BaseModel, prefix: str) -> dict[str, Any]:
    """Every option's value by its full name."""
    found: dict[str, Any] = {}
    for name in type(section).model_fields:
        value = getattr(section, name)
        found |= options_of(value, f"{prefix}{name}.") if isinstance(value, BaseModel) else {prefix + name: value}
    return found


def test_every_value_has_a_row() -> None:
    """An option, or a value of one, that is added to params must be added to the rows."""
    params = [params_of(name) for name in ROWS]
    rows = [options_of(vocab, "vocab.") | options_of(train, "train.") for vocab, train in params]
    needed = [*required(VocabParams, "vocab."), *required(TrainParams, "train.")]
    assert len(needed) > 40
    missing = [
        f"{key}: {value}"
        for key, value, is_it in needed
        if key not in ELSEWHERE and not any(is_it(row[key]) for row in rows)
    ]
    assert missing == [], "add rows to tests/options.py"
    assert any(train.model.kv_heads < train.model.heads for _, train in params)


def test_a_new_option_is_missed() -> None:
    """What `required` finds in a section that has one more."""

    class Wider(TrainParams):
        flavour: Literal["plain", "odd"] = "plain"
        smoothing: float = 0.0

    new = {(key, value) for key, value, _ in required(Wider, "")} - {
        (key, value) for key, value, _ in required(TrainParams, "")
    }
    assert new == {("flavour", "plain"), ("flavour", "odd"), ("smoothing", "on")}
