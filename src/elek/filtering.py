"""Filters: what they measure, apart from how they decide.

A filter is one module in `elek.filters` that subclasses `Filter`. It *measures* a batch into signals, which
`annotate` stores as columns `<filter>.<signal>`, and its *rules* compare a signal with a threshold, which
`filter` does as often as somebody changes a threshold, without ever reading the text again. Comparisons are
strict: equality keeps. All failing rules are recorded; the first one, in the order of params.yaml and then of
the filter's rules, is the reason.
"""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, BeforeValidator, Field, RootModel, create_model, model_validator

from elek.dataset import DECISION
from elek.errors import did_you_mean
from elek.params import Section

UNDETERMINED = "und"
"""ISO 639-2's code for a language that nobody knows."""

Number = float | int | None


def _check_threshold(value: object) -> object:
    if isinstance(value, Mapping) and "default" not in value:
        raise ValueError("thresholds by language need a `default` beside them")
    return value


Threshold = Annotated[Number | dict[str, Number], BeforeValidator(_check_threshold)]
"""A number, null to switch the rule off, or `{default: …, tr: …}` by language."""


@dataclass(frozen=True)
class Batch:
    """Documents to measure: aligned Arrow arrays. `lang` is the language whose rules apply to the row."""

    id: pa.Array
    text: pa.Array  # large_string
    lang: pa.Array
    declared_lang: pa.Array
    license: pa.Array
    source: pa.Array

    def __len__(self) -> int:
        return len(self.id)


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


@dataclass(frozen=True)
class Verdict:
    """What one rule says of every row of a batch. Arrays of one length; `value` is NaN where no number exists."""

    rule: str  # "gopher_quality.min_words"
    failed: npt.NDArray[np.bool_]
    value: npt.NDArray[np.float64]
    threshold: npt.NDArray[np.float64]
    evidence: pa.Array | None = None


class Filter(ABC):
    """One file in `elek/filters/`, one line in params.yaml. The module's docstring cites the rules' source."""

    name: ClassVar[str]
    signals: ClassVar[Mapping[str, pa.DataType]]
    rules: ClassVar[Sequence[Rule]] = ()

    @abstractmethod
    def measure(self, batch: Batch) -> dict[str, pa.Array]:
        """One array per name in `signals`, each as long as the batch. Pure: the same batch, the same arrays."""

    @classmethod
    def params_class(cls) -> type[BaseModel]:
        """The filter's section of params.yaml: by default one threshold per rule, at the rule's default."""
        fields: dict[str, Any] = {
            rule.name: (Threshold, Field(default=rule.default, description=rule.source)) for rule in cls.rules
        }
        return create_model(f"{cls.name}_params", __base__=Section, **fields)

    def decide(self, signals: pa.Table, params: BaseModel, lang: pa.Array) -> list[Verdict]:
        """One verdict per rule that is switched on. `signals` has the columns that `measure` made."""
        verdicts = []
        for rule in self.rules:
            threshold = thresholds(getattr(params, rule.name), lang)
            value = to_float(signals[rule.signal])
            with np.errstate(invalid="ignore"):  # NaN: a rule switched off, or a signal that does not exist
                failed = value < threshold if rule.fails == "below" else value > threshold
            verdicts.append(Verdict(f"{self.name}.{rule.name}", failed, value, threshold))
        return verdicts


def to_float(column: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """Numbers or booleans as float64; null becomes NaN, which no comparison fails."""
    result: npt.NDArray[np.float64] = np.asarray(
        column.cast(pa.float64()).to_numpy(zero_copy_only=False)
        if isinstance(column, pa.Array)
        else column.cast(pa.float64()).to_numpy()
    ).astype(np.float64)
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


@cache
def discover() -> dict[str, Filter]:
    """Every filter in `elek.filters` by name, sorted. A filter's name is its module's name."""
    import elek.filters

    found: dict[str, Filter] = {}
    for module_info in sorted(pkgutil.iter_modules(elek.filters.__path__), key=lambda info: info.name):
        if module_info.name.startswith("_"):
            continue
        module = importlib.import_module(f"elek.filters.{module_info.name}")
        classes = [
            value
            for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, Filter) and value.__module__ == module.__name__
        ]
        for cls in classes:
            if cls.name != module_info.name:
                raise TypeError(f"{module.__name__}: the filter is called {cls.name}, its module {module_info.name}")
            found[cls.name] = cls()
    return found


class FilterParams(RootModel[dict[str, Any]]):
    """`filter:` maps a filter's name to its thresholds; a filter that is not named does not decide.

    The order is the order in which the rules are asked, and so which failing rule is the reason.
    """

    @model_validator(mode="after")
    def _typed(self) -> FilterParams:
        filters = discover()
        for name, raw in list(self.root.items()):
            if name not in filters:
                raise ValueError(f"unknown filter `{name}`; {did_you_mean(name, filters)}")
            if not isinstance(raw, BaseModel):
                cls = filters[name].params_class()
                unknown = set(raw or {}) - set(cls.model_fields)
                if unknown:
                    key = sorted(unknown)[0]
                    raise ValueError(f"unknown key `filter.{name}.{key}`; {did_you_mean(key, cls.model_fields)}")
                self.root[name] = cls.model_validate(raw or {})
        return self


def decide(signals: pa.Table, params: FilterParams) -> pa.Table:
    """Decisions (`DECISION`) for a part of `annotate`, row by row."""
    filters = discover()
    lang = signals["language.rules"].combine_chunks()
    verdicts: list[Verdict] = []
    for name, section in params.root.items():
        prefix = f"{name}."
        columns = [column for column in signals.column_names if column.startswith(prefix)]
        own = signals.select(columns).rename_columns([column.removeprefix(prefix) for column in columns])
        verdicts += filters[name].decide(own, section, lang)
    return decisions(signals["id"], verdicts)


def decisions(
    ids: pa.ChunkedArray | pa.Array, verdicts: Sequence[Verdict], entered: npt.NDArray[np.bool_] | None = None
) -> pa.Table:
    """Fold verdicts into one row per document, failures in the order of `verdicts`.

    `entered` marks the rows that earlier stages had kept (all by default); other rows get no failures.
    """
    rows = len(ids)
    entered = np.ones(rows, dtype=bool) if entered is None else entered
    failed = np.zeros((rows, len(verdicts)), dtype=bool)
    for index, verdict in enumerate(verdicts):
        failed[:, index] = verdict.failed & entered
    row, rule = np.nonzero(failed)  # row-major: by document, then in the order of the rules
    offsets = np.zeros(rows + 1, dtype=np.int32)
    np.cumsum(failed.sum(axis=1), out=offsets[1:])

    value = np.full(len(row), np.nan)
    threshold = np.full(len(row), np.nan)
    evidence = np.full(len(row), None, dtype=object)
    for index, verdict in enumerate(verdicts):
        at = rule == index
        value[at] = verdict.value[row[at]]
        threshold[at] = verdict.threshold[row[at]]
        if verdict.evidence is not None:
            evidence[at] = verdict.evidence.take(pa.array(row[at])).to_pylist()
    names = pa.array([verdict.rule for verdict in verdicts], pa.string())
    item_type = DECISION.field("failures").type.value_type
    items = pa.StructArray.from_arrays(
        [
            names.take(pa.array(rule)),
            pa.array(value, from_pandas=True),
            pa.array(threshold, from_pandas=True),
            pa.array(evidence, pa.string()),
        ],
        fields=list(item_type),
    )
    failures = pa.ListArray.from_arrays(pa.array(offsets), items, type=DECISION.field("failures").type)
    kept = entered & ~failed.any(axis=1)
    id_array = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
    return pa.Table.from_arrays([id_array, pa.array(entered), pa.array(kept), failures], schema=DECISION)
