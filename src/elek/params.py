"""params.yaml: every knob, typed, validated as a whole before anything runs.

Each section's class stands beside its owner; this module only knows where. A stage gets its own section and
no other (`load`), though the whole file is checked each time: a typo under `train` should be told before
`fetch` starts to download, not an hour later.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from elek.errors import ParamsError, did_you_mean

# Section of params.yaml → where its class is. Imported only when validated: no stage depends on these modules
# through this table, because validation can refuse a file but never change what a stage computes.
SECTIONS: Mapping[str, str] = {
    "execution": "elek.params:ExecutionParams",
    "fetch": "elek.sources.params:FetchParams",
    "clean": "elek.text.cleaning:CleanParams",
    "annotate": "elek.filtering.annotation:AnnotateParams",
    "filter": "elek.filtering:FilterParams",
    "dedup": "elek.dedup.params:DedupParams",
    "split": "elek.splitting:SplitParams",
    "vocab": "elek.vocab.params:VocabParams",
    "tokenize": "elek.shards:TokenizeParams",
    "train": "elek.training.params:TrainParams",
    "evaluate": "elek.evaluation.params:EvaluateParams",
    "export": "elek.export.params:ExportParams",
    "report": "elek.report.params:ReportParams",
    "register": "elek.tracking.registry:RegisterParams",
    "tracking": "elek.tracking.params:TrackingParams",
}

# What holds between sections: functions of them and the file's name that raise ParamsError. Imported like those.
CHECKS = ("elek.export.early:check",)


class Section(BaseModel):
    """Base of every params class: immutable, no key passes unknown, and a number is neither `true` nor infinite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_booleans_as_numbers(cls, value: Any, info: ValidationInfo) -> Any:
        kind = cls.model_fields[info.field_name or ""].annotation
        if isinstance(value, bool) and kind in (int, float, int | None, float | None):
            raise ValueError("a number, not true or false")
        return value


class ExecutionParams(Section):
    """How the work is spread. Never declared to DVC: the bytes do not depend on it."""

    workers: int = Field(default=0, ge=0, le=61)
    """Processes of a data stage; 0 takes one per processor core."""

    engine: Literal["processes", "dask"] = "processes"
    """What runs them: processes of our own, or Dask: the cluster whose scheduler's address is in the environment
    variable DASK_SCHEDULER_ADDRESS, or without one a cluster of `workers` processes on this machine."""

    cache_gigabytes: float = Field(default=5, ge=0, le=1e6)
    """Disk (10⁹ bytes) for the results of unchanged parts, under `.cache/shards`; the longest unused go first.
    0 keeps none."""


S = TypeVar("S", bound=BaseModel)


def read(path: Path) -> dict[str, Any]:
    """The plain mapping in a YAML 1.2 file (`1e-4` is a number there and `no` is a word).

    Raises ParamsError for a missing file, broken YAML, or anything but a mapping of sections.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        loaded = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParamsError(
            f"there is no {path.name} here", where=str(path.parent.absolute()), fix="run Elek in the project's folder"
        ) from None
    except UnicodeDecodeError as error:
        fix = "save it as UTF-8 (in Windows' Notepad: Save as, Encoding)"
        raise ParamsError("the file is not UTF-8", where=f"{path}, byte {error.start}", fix=fix) from None
    except OSError as error:
        fix = "name a file that you may read"
        raise ParamsError(f"the file cannot be read: {error.strerror}", where=str(path), fix=fix) from None
    except (YAMLError, ValueError, RecursionError) as error:  # ValueError: a date that is none, a number without end
        raise ParamsError(f"the file is not valid YAML: {error}", where=str(path)) from None
    if not isinstance(loaded, dict):
        fix = "`train:`, say, and its keys beneath it; `git checkout params.yaml` brings the committed one back"
        raise ParamsError("the file holds no sections", where=str(path), fix=fix)
    return loaded


def section_class(name: str) -> type[BaseModel]:
    cls: type[BaseModel] = _named(SECTIONS[name])
    return cls


def _named(place: str) -> Any:
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)


def validate(raw: Mapping[str, Any], where: str = "params.yaml") -> dict[str, BaseModel]:
    """Every section, typed. Raises ParamsError that names each wrong key and the nearest valid one, and what one
    section asks of another in vain."""
    for name in raw:
        if name not in SECTIONS:
            raise ParamsError(f"unknown section `{name}`", where=where, fix=did_you_mean(str(name), SECTIONS))
    sections = {name: parse(name, raw.get(name), section_class(name), where) for name in SECTIONS}
    for check in CHECKS:
        _named(check)(sections, where)
    return sections


def load(path: Path, section: str, cls: type[S]) -> S:
    """One section, after the whole file has been validated."""
    raw = read(path)
    validate(raw, path.name)
    return parse(section, raw.get(section), cls, path.name)


def parse(section: str, raw: object, cls: type[S], where: str = "params.yaml") -> S:
    try:
        return cls.model_validate({} if raw is None else raw)
    except ValidationError as error:
        raise _explain(section, cls, error, where) from None


def _explain(section: str, cls: type[BaseModel], error: ValidationError, where: str) -> ParamsError:
    problems, fix = [], None
    for item in error.errors(include_url=False, include_context=False):
        if item["type"] == "default_factory_not_called":  # only because another key is wrong, which is told
            continue
        location = [str(part) for part in item["loc"] if not _is_union_tag(part)]
        key = ".".join([section, *location])
        if item["type"] == "extra_forbidden":
            problems.append(f"unknown key `{key}`")
            valid = _fields_at(cls, item["loc"][:-1])
            fix = fix or (did_you_mean(location[-1], valid) if valid else None)
        else:
            # What contradicts itself is named in the message; a whole section behind it would only hide that.
            whole = item["type"] == "value_error" and isinstance(item["input"], Mapping)
            given = "" if whole or item["type"] == "missing" else f" (given: {item['input']!r})"
            problems.append(f"`{key}`: {item['msg'].removeprefix('Value error, ')}{given}")
    return ParamsError("; ".join(dict.fromkeys(problems)), where=where, fix=fix)


def _is_union_tag(part: object) -> bool:
    # pydantic puts the tried branch of a union into the location; people never wrote that.
    return isinstance(part, str) and (part.startswith(("function-", "dict[", "list[")) or "[" in part)


def _fields_at(cls: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Names that are valid beneath `location`, walking through nested models, mappings and tagged unions."""
    candidates: list[Any] = [cls]
    for part in location:
        following: list[Any] = []
        for candidate in candidates:
            following += _step(candidate, part)
        candidates = following
    names: set[str] = set()
    for candidate in candidates:
        names.update(candidate.model_fields)
    return sorted(names)


def _step(candidate: type[BaseModel], part: int | str) -> list[type[BaseModel]]:
    if part in candidate.model_fields:
        return _models_in(candidate.model_fields[str(part)].annotation)
    # A key of a mapping, an index of a list or the tag of a union: the model beneath is what we already hold.
    return [candidate]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    found: list[type[BaseModel]] = []
    for argument in getattr(annotation, "__args__", ()):
        found += _models_in(argument)
    return found
