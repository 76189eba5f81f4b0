"""The base class of filters, with the signals that a filter measures and the rules that compare them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, BeforeValidator, Field, create_model

from elek.decisions import Verdict
from elek.params import Section
from elek.text.languages import check

UNDETERMINED = "und"
"""The code of ISO 639-2 for an undetermined language."""

Number = float | int | None


def _check_threshold(value: object) -> object:
    settings = value if isinstance(value, Mapping) else {"default": value}
    if "default" not in settings:
        raise ValueError("thresholds by language need a `default` beside them")
    for language, number in settings.items():
        if language != "default" and (problem := check(str(language))):
            raise ValueError(problem)
        if number is None:
            continue
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
            raise ValueError("a threshold is a number or null")
    return value


Threshold = Annotated[Number | dict[str, Number], BeforeValidator(_check_threshold)]
"""A number, null to switch the rule off, or `{default: …, tr: …}` by language."""


WordKind = Literal["whitespace", "unicode"]

HELD = "licence.held"
"""The rule whose documents are neither kept nor rejected for good: a person has to look at them."""
RELEASED = pa.field("released", pa.string())
"""The reason that a person gave for releasing a held document; null for all others. Only `licence` holds documents."""


@dataclass(frozen=True)
class Batch:
    """Documents to measure: aligned Arrow arrays. `lang` is the language whose rules apply to the row."""

    id: pa.Array
    text: pa.Array  # large_string
    lang: pa.Array
    declared_lang: pa.Array
    license: pa.Array
    source: pa.Array
    words: WordKind = "whitespace"
    """What the rules count as words; see `elek.kernels.words`."""
    meta: pa.Array | None = None
    """Metadata of each document as a JSON object; None where there is none."""

    def __len__(self) -> int:
        return len(self.id)


SHARE = (0.0, 1.0)
"""The range of a signal that is a share of a whole."""


@dataclass(frozen=True)
class Rule:
    """A document fails when `signal` is strictly below, or strictly above, the threshold.

    The rule's name is its key in params.yaml under the filter's name.
    """

    name: str
    signal: str
    fails: Literal["below", "above"]
    default: Number | dict[str, Number]
    source: str
    """Where the rule and its default come from: paper and section, or project and version."""
    range: tuple[float, float] = (0.0, math.inf)
    """The smallest and the largest value that the signal can have. A threshold beyond them is never crossed."""

    def crosses(self, threshold: float) -> bool:
        """Whether a value that the signal can have fails with `threshold`."""
        return threshold < self.range[1] if self.fails == "above" else threshold > self.range[0]


@dataclass(frozen=True)
class Removal:
    """The bytes that a rule which removes text would remove from every document of a batch, if it were kept."""

    rule: str  # "c4.line_min_words"
    bytes: npt.NDArray[np.int64] | None
    """None where the rule is off."""
    alone: npt.NDArray[np.int64] | None
    """The bytes that no other rule of the filter removes."""


class Filter(ABC):
    """A filter: a module in `elek/filters/` and a line in params.yaml. Its docstring cites the source of the rules."""

    name: ClassVar[str]
    signals: ClassVar[Mapping[str, pa.DataType]]
    rules: ClassVar[Sequence[Rule]] = ()
    settings_class: ClassVar[type[Section]] = Section
    """Settings of `measure`, under `annotate.settings.<filter>` in params.yaml. By default none."""
    params_base: ClassVar[type[Section]] = Section
    """Fields of the filter's section of params.yaml other than the thresholds of its rules."""
    rank: ClassVar[int] = 50
    """If several filters fail a document, the one with the lowest rank, then name, gives the reason.

    The order in params.yaml does not count: DVC does not notice its change, so the reasons would be out of date.
    """
    derived: ClassVar[Mapping[str, pa.DataType]] = {}
    """Values that rules compare and that `decide` computes from the signals and the params, with their types."""
    removes: ClassVar[bool] = False
    """Whether the filter removes text from documents that it keeps; see `remove`."""
    zero_is_off: ClassVar[bool] = False
    """Whether a threshold of 0 switches its rule off, as null does."""

    def __init__(self, settings: Section | None = None) -> None:
        self.settings = settings or self.settings_class()

    @abstractmethod
    def measure(self, batch: Batch) -> dict[str, pa.Array]:
        """One array per name in `signals`, each as long as the batch. Pure: the same batch gives the same arrays."""

    def arrays(self, values: npt.NDArray[np.float64]) -> dict[str, pa.Array]:
        """The result of `measure` from `float64[signals, documents]`; NaN becomes null."""
        rows = zip(self.signals.items(), values, strict=True)
        return {name: pa.array(row, from_pandas=True).cast(kind) for (name, kind), row in rows}

    @classmethod
    def params_class(cls) -> type[BaseModel]:
        """The filter's section of params.yaml: by default one threshold per rule, at the rule's default,
        and the fields of `params_base`."""
        fields: dict[str, Any] = {
            rule.name: (Threshold, Field(default=rule.default, description=rule.source)) for rule in cls.rules
        }
        return create_model(f"{cls.name}_params", __base__=cls.params_base, **fields)

    def decide(self, signals: pa.Table, params: BaseModel, lang: pa.Array) -> list[Verdict]:
        """One verdict per rule that is switched on. `signals` has the columns that `measure` made."""
        verdicts = []
        for rule in self.rules:
            threshold = thresholds(getattr(params, rule.name), lang)
            if self.zero_is_off:
                threshold[threshold == 0] = np.nan
            value = to_float(signals[rule.signal])
            with np.errstate(invalid="ignore"):  # NaN: a rule switched off, or a signal that does not exist
                failed = value < threshold if rule.fails == "below" else value > threshold
            verdicts.append(Verdict(f"{self.name}.{rule.name}", failed, value, threshold))
        return verdicts

    def releases(self, params: BaseModel) -> Mapping[str, str]:
        """Held documents that a person released: id → reason."""
        return {}

    def released(self, signals: pa.Table, params: BaseModel) -> pa.StringArray:
        """The reason of every row that passes only because it was released, otherwise null.

        Needed only for a filter with `releases`. `signals` also has the column `id`.
        """
        raise NotImplementedError(f"{self.name} releases documents and does not say which")

    def remove(self, signals: pa.Table, params: BaseModel, lang: pa.Array) -> pa.Array:
        """The spans to remove from documents, all of which are kept, as a column `elek.removal.REMOVE`.

        Needed only for a filter that `removes`. `elek.removal.column` makes the column from spans in any order.
        """
        raise NotImplementedError(f"{self.name} removes text and does not say which")

    def removals(self, signals: pa.Table, params: BaseModel, lang: pa.Array) -> list[Removal]:
        """The removed bytes by rule, for `elek rules`. Rules that remove text have no verdicts."""
        return []


def to_float(column: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """Numbers or booleans as float64; null becomes NaN, which never fails a comparison."""
    result: npt.NDArray[np.float64] = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return result


def thresholds(setting: Number | Mapping[str, Number], lang: pa.Array) -> npt.NDArray[np.float64]:
    """The threshold of every row; NaN where the rule is off."""
    if not isinstance(setting, Mapping):
        return np.full(len(lang), np.nan if setting is None else float(setting))
    result = thresholds(setting["default"], lang)
    for language, value in setting.items():
        if language != "default":
            rows = pc.equal(lang, language).fill_null(False).to_numpy(zero_copy_only=False).astype(bool)
            result[rows] = np.nan if value is None else float(value)
    return result
