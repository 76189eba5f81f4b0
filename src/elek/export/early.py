"""Check before the first stage, and not after hours of training, that `export` can do what params.yaml wants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from pydantic import BaseModel

from elek.export.classes import check_vocabulary, hub_class
from elek.export.params import ExportParams
from elek.training.params import TrainParams
from elek.vocab.params import VocabParams


def check(sections: Mapping[str, BaseModel], where: str) -> None:
    """Raises ParamsError where the model and vocabulary in params.yaml cannot be exported as `export` wants."""
    export = cast(ExportParams, sections["export"])
    train, vocab = cast(TrainParams, sections["train"]), cast(VocabParams, sections["vocab"])
    if export.huggingface:
        check_vocabulary(vocab.kind, where)
        hub_class(train.config(vocab.size), where)
