"""All filters together: find them, configure them by params.yaml, and apply their rules to a part of `annotate`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import Any

import pyarrow as pa
from pydantic import BaseModel, RootModel, model_validator

from elek.decisions import Verdict, decisions
from elek.errors import DataError, ParamsError, did_you_mean
from elek.filtering.filter import RELEASED, Filter, Removal, Rule
from elek.params import parse
from elek.removal import REMOVE, merged, of_rows


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
    """Cached, because pydantic needs 10 ms to make a class, and workers read the params for every part."""
    return kind.params_class()


class FilterParams(RootModel[dict[str, Any]]):
    """`filter:` maps a filter's name to its thresholds; a filter that is not named does not decide.

    `root` is in the order in which the rules are applied: by rank, then by name.
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
        """The sections as plain data with every threshold, as the manifest of `filter` records them."""
        return {name: section.model_dump(mode="json") for name, section in self.root.items()}


class FilterSettings(RootModel[dict[str, Any]]):
    """`annotate.settings` maps a filter's name to the settings of its `measure`."""

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
    """The verdict of every rule on every row of a part of `annotate`, in the order in which rules are applied.

    Where a rule is off for a row, the threshold is NaN; where there is no signal, the value is NaN.
    """
    lang = _column(signals, "language.rules").combine_chunks()
    found: list[Verdict] = []
    for name, section in params.root.items():
        found += _filter(name, "filter").decide(_measured(signals, name), section, lang)
    return found


def derived(signals: pa.Table, params: FilterParams) -> dict[str, pa.Array]:
    """The derived values that rules compare (`Filter.derived`) as columns `<filter>.<name>`, such as C4's sentences.

    A filter that `params` does not name is taken with its defaults, so that every rule has a value.
    """
    lang, found = _column(signals, "language.rules").combine_chunks(), dict[str, pa.Array]()
    for name, own in discover().items():
        if not own.derived:
            continue
        section = params.root.get(name) or _section_class(type(own))()
        kinds = {f"{name}.{rule.name}": rule.signal for rule in own.rules if rule.signal in own.derived}
        for verdict in own.decide(_measured(signals, name), section, lang):
            if signal := kinds.get(verdict.rule):
                found[f"{name}.{signal}"] = pa.array(verdict.value, from_pandas=True).cast(own.derived[signal])
    return found


def decide(signals: pa.Table, params: FilterParams) -> pa.Table:
    """Decisions for a part of `annotate`, row by row.

    The columns of `DECISION`; also `RELEASED` if params release documents, and `REMOVE` if a filter removes text.
    """
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
    """The filters in params that remove text. If there is one, decisions have the column `remove`."""
    return [name for name in params.root if _filter(name, "filter").removes]


def removals(signals: pa.Table, params: FilterParams) -> list[Removal]:
    """The bytes that every rule which removes text would remove, for a part of `annotate`."""
    lang, found = _column(signals, "language.rules").combine_chunks(), list[Removal]()
    for name in removing(params):
        found += _filter(name, "filter").removals(_measured(signals, name), params.root[name], lang)
    return found


def releases(params: FilterParams) -> dict[str, str]:
    """All released documents: id → reason. If there is one, decisions have the column `RELEASED`."""
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
