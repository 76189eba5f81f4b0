"""What params.yaml asks of `export`, checked before the first stage and not after hours of training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from pydantic import BaseModel

from elek.export.classes import check_vocabulary, hub_class
from elek.export.params import ExportParams
from elek.training.params import TrainParams
from elek.vocab.params import VocabParams


def check(sections: Mapping[str, BaseModel], where: str) -> None:
    """What params.yaml asks for can be exported as it asks. Raises ParamsError that names what cannot."""
    export = cast(ExportParams, sections["export"])
    train, vocab = cast(TrainParams, sections["train"]), cast(VocabParams, sections["vocab"])
    if export.huggingface:
        check_vocabulary(vocab.kind, where)
        hub_class(train.config(vocab.size), where)
