"""Filters: what they measure, apart from how they decide.

A filter is one module in `elek.filters` that subclasses `Filter`. It *measures* a batch into signals, which
`annotate` stores as columns `<filter>.<signal>`, and its *rules* compare a signal with a threshold, which
`filter` does as often as somebody changes a threshold, without ever reading the text again. Comparisons are
strict: equality keeps. All failing rules are recorded; the first one, in the order of the filters' ranks and
then of the filter's rules, is the reason.
"""

from __future__ import annotations

import importlib
import math
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

from elek.decisions import Verdict, decisions
from elek.errors import DataError, ParamsError, did_you_mean
from elek.params import Section, parse
from elek.removal import REMOVE, merged, of_rows
from elek.text.languages import check

UNDETERMINED = "und"
"""ISO 639-2's code for a language that nobody knows."""

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

RELEASED = pa.field("released", pa.string())
"""Why somebody lets a document pass that a rule holds back; null for all others. One filter has such a list."""


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
    """What the source tells of each document beside its text, as a JSON object; None where there is nothing."""

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
    """The least and the greatest value that the signal can take: beyond them a threshold is never crossed."""

    def crosses(self, threshold: float) -> bool:
        """Whether any value that the signal can take fails by `threshold`."""
        return threshold < self.range[1] if self.fails == "above" else threshold > self.range[0]


@dataclass(frozen=True)
class Removal:
    """What one rule that removes text takes out of every document of a batch, were it to stay; in bytes."""

    rule: str  # "c4.line_min_words"
    bytes: npt.NDArray[np.int64] | None
    """None where the rule is off."""
    alone: npt.NDArray[np.int64] | None
    """What no other rule of the filter takes out."""


class Filter(ABC):
    """One file in `elek/filters/`, one line in params.yaml. The module's docstring cites the rules' source."""

    name: ClassVar[str]
    signals: ClassVar[Mapping[str, pa.DataType]]
    rules: ClassVar[Sequence[Rule]] = ()
    settings_class: ClassVar[type[Section]] = Section
    """Knobs of `measure`, under `annotate.settings.<filter>` in params.yaml. By default there are none."""
    params_base: ClassVar[type[Section]] = Section
    """Fields of the filter's section of params.yaml beside the thresholds of its rules."""
    rank: ClassVar[int] = 50
    """Whose failing rule is the reason where several filters fail a document: the lowest rank, then the name.

    Not the order of params.yaml, which DVC does not see: there a changed order would leave stale reasons.
    """
    derived: ClassVar[Mapping[str, pa.DataType]] = {}
    """What rules compare beside the signals, where it follows from them and from the params (`decide` makes it)."""
    removes: ClassVar[bool] = False
    """Whether the filter takes text out of documents that stay: see `remove`."""
    zero_is_off: ClassVar[bool] = False
    """Whether a threshold of 0 switches its rule off, as null does."""

    def __init__(self, settings: Section | None = None) -> None:
        self.settings = settings or self.settings_class()

    @abstractmethod
    def measure(self, batch: Batch) -> dict[str, pa.Array]:
        """One array per name in `signals`, each as long as the batch. Pure: the same batch, the same arrays."""

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
        """Documents that somebody lets pass although a rule would not: by id, the reason."""
        return {}

    def released(self, signals: pa.Table, params: BaseModel) -> pa.StringArray:
        """The reason of every row that passes for it alone, else null; only for a filter that `releases`. `signals`
        has the column `id` too."""
        raise NotImplementedError(f"{self.name} releases documents and does not say which")

    def remove(self, signals: pa.Table, params: BaseModel, lang: pa.Array) -> pa.Array:
        """Bytes of clean's text to take out of documents, all of which stay, as `elek.removal.REMOVE` (whose `column`
        makes it of spans in any order); only for a filter that `removes`."""
        raise NotImplementedError(f"{self.name} removes text and does not say which")

    def removals(self, signals: pa.Table, params: BaseModel, lang: pa.Array) -> list[Removal]:
        """The same by rule, for `elek rules`: a rule that removes text has no verdict, which would show it there."""
        return []


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
    """Every filter in `elek.filters` by name, sorted, with its default settings.

    A filter's name is its module's name.
    """
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


@cache
def _section_class(kind: type[Filter]) -> type[BaseModel]:
    """A class takes pydantic 10 ms to make, and workers read the params with every part."""
    return kind.params_class()


class FilterParams(RootModel[dict[str, Any]]):
    """`filter:` maps a filter's name to its thresholds; a filter that is not named does not decide.

    `root` is in the order in which the rules are asked: by rank, then by name.
    """

    @model_validator(mode="after")
    def _typed(self) -> FilterParams:
        typed = {
            name: _typed_section("filter", name, raw, _section_class(type(_filter(name, "filter"))))
            for name, raw in self.root.items()
        }
        self.root.clear()
        self.root.update(sorted(typed.items(), key=lambda item: (_filter(item[0], "filter").rank, item[0])))
        return self

    def plain(self) -> dict[str, Any]:
        """The sections as plain data, every threshold spelled out: what the manifest of `filter` records."""
        return {name: section.model_dump(mode="json") for name, section in self.root.items()}


class FilterSettings(RootModel[dict[str, Any]]):
    """`annotate.settings` maps a filter's name to the knobs of its `measure`."""

    @model_validator(mode="after")
    def _typed(self) -> FilterSettings:
        for name, raw in self.root.items():
            settings_class = _filter(name, "annotate.settings").settings_class
            self.root[name] = _typed_section("annotate.settings", name, raw, settings_class)
        return self

    def filters(self) -> dict[str, Filter]:
        """Every filter, sorted by name, each with its settings."""
        return {name: type(found)(self.root.get(name)) for name, found in discover().items()}


def _typed_section(key: str, name: str, raw: object, cls: type[BaseModel]) -> BaseModel:
    if isinstance(raw, BaseModel):
        return raw
    if not (raw is None or isinstance(raw, Mapping)):
        what = f"`{key}.{name}` maps names to values, and {raw!r} does not"
        raise ParamsError(what, where="params.yaml", fix=f"`{name}:` with nothing behind it takes the defaults")
    return parse(f"{key}.{name}", raw, cls)


def _filter(name: str, key: str) -> Filter:
    filters = discover()
    if name not in filters:
        raise ParamsError(
            f"`{key}.{name}`: there is no filter `{name}`", where="params.yaml", fix=did_you_mean(name, filters)
        )
    return filters[name]


def verdicts(signals: pa.Table, params: FilterParams) -> list[Verdict]:
    """What every rule says of every row of a part of `annotate`, in the order in which rules are asked.

    A rule that is off for a row has the threshold NaN there; a signal that does not exist has the value NaN.
    """
    lang = _column(signals, "language.rules").combine_chunks()
    found: list[Verdict] = []
    for name, section in params.root.items():
        found += _filter(name, "filter").decide(_measured(signals, name), section, lang)
    return found


def derived(signals: pa.Table, params: FilterParams) -> dict[str, pa.Array]:
    """What rules compare beside the signals (`Filter.derived`), as columns `<filter>.<name>`: C4's sentences, say."""
    lang, found = _column(signals, "language.rules").combine_chunks(), dict[str, pa.Array]()
    for name, section in params.root.items():
        own = _filter(name, "filter")
        kinds = {f"{name}.{rule.name}": rule.signal for rule in own.rules if rule.signal in own.derived}
        for verdict in own.decide(_measured(signals, name), section, lang) if kinds else ():
            if signal := kinds.get(verdict.rule):
                found[f"{name}.{signal}"] = pa.array(verdict.value, from_pandas=True).cast(own.derived[signal])
    return found


def decide(signals: pa.Table, params: FilterParams) -> pa.Table:
    """Decisions for a part of `annotate`, row by row: `DECISION`, `RELEASED` where somebody lets documents go, and
    `REMOVE` where a filter removes text."""
    lang = _column(signals, "language.rules").combine_chunks()
    table = decisions(signals["id"], verdicts(signals, params))
    for name in params.root:
        own = _filter(name, "filter")
        if own.releases(params.root[name]):
            table = table.append_column(RELEASED, own.released(_measured(signals, name), params.root[name]))
    if not (names := removing(params)):
        return table
    kept = table["kept"].to_numpy()
    if not kept.all():
        signals, lang = signals.filter(table["kept"]), lang.filter(table["kept"].combine_chunks())
    removed = [_filter(name, "filter").remove(_measured(signals, name), params.root[name], lang) for name in names]
    return table.append_column(REMOVE, of_rows(merged(removed), kept))


def _measured(signals: pa.Table, name: str) -> pa.Table:
    own = {signal: _column(signals, f"{name}.{signal}") for signal in _filter(name, "filter").signals}
    return pa.table({"id": signals["id"], **own})


def rule(name: str) -> Rule | None:
    """The declaration of a rule by its full name (`gopher_quality.min_words`); None where it compares no numbers."""
    found, _, own = name.partition(".")
    declared = discover()[found].rules if found in discover() else ()
    return next((item for item in declared if item.name == own), None)


def removing(params: FilterParams) -> list[str]:
    """The filters that take text out of documents; with one of them decisions have the column `remove`."""
    return [name for name in params.root if _filter(name, "filter").removes]


def removals(signals: pa.Table, params: FilterParams) -> list[Removal]:
    """What every rule that removes text takes out, for a part of `annotate`."""
    lang, found = _column(signals, "language.rules").combine_chunks(), list[Removal]()
    for name in removing(params):
        found += _filter(name, "filter").removals(_measured(signals, name), params.root[name], lang)
    return found


def releases(params: FilterParams) -> dict[str, str]:
    """All documents that somebody lets pass, by id the reason: with one of them decisions have `RELEASED`."""
    return {
        document: reason
        for name, section in params.root.items()
        for document, reason in _filter(name, "filter").releases(section).items()
    }


def columns_for(params: FilterParams) -> list[str]:
    """The columns of `annotate` that `decide` reads."""
    filters = discover()
    own = [f"{name}.{signal}" for name in params.root for signal in filters[name].signals]
    return list(dict.fromkeys(["id", "language.rules", *own]))


def _column(signals: pa.Table, name: str) -> pa.ChunkedArray:
    if name not in signals.column_names:
        raise DataError(
            f"the signal `{name}` was never measured", where="data/annotate", fix="run `dvc repro`: `annotate` is stale"
        )
    return signals[name]
