"""What other settings would keep, drop and gain: decided again from stored signals, nearly always without reading text.

`filter`, `dedup` and `split` decide from what is stored: signals (data/annotate), measured pairs (data/dedup/pairs)
and shared passages (data/split/passages). A what-if runs the same functions as the stages, in memory, so its verdict is
theirs for every id. Text is read only in these cases, and `notes` reports all but the first:

- the first words of the examples are shown;
- there are pairs of texts that were never compared before: `dedup.jaccard` is lower, or in a group of more than 32
  similar documents other ones now come first. The text of those documents is read;
- `dedup.boilerplate` is on (by default it is off): it counts lines in the text of the documents that are kept;
- `split.decontaminate_ngram` differs, or a filter such as `c4` or `dedup.boilerplate` removes other bytes: shared
  passages are searched for again in all text, as `split` does.

Settings of `annotate` and the stages before it change what is measured; they are refused by name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from elek import params as elek_params
from elek.dataset import Dataset
from elek.dedup.params import DedupParams
from elek.errors import ParamsError, did_you_mean
from elek.explaining.replay import Replay
from elek.filtering import FilterParams, rule
from elek.splitting import SplitParams

ASKED = ("filter", "dedup", "split")
"""The sections of params.yaml whose settings can be changed here."""
GROUPS = {"source": "source", "language": "language.rules", "license": "license"}
"""The groups for which sums are given, and the column of `annotate` for each."""
WORDS = 12
"""Number of words shown of an example."""


@dataclass(frozen=True)
class Example:
    """A document that would be kept instead of dropped, or dropped instead of kept."""

    id: str
    reason: str
    words: str
    """The first words of its text."""


@dataclass(frozen=True)
class WhatIf:
    """The verdicts on all documents before and after, row by row, and their sums."""

    settings: tuple[str, ...]
    before: pa.Table
    """`elek.explaining.replay.VERDICT`, as the stages decided when they ran last."""
    after: pa.Table
    """`elek.explaining.replay.VERDICT`, under the settings."""
    documents: pa.Table
    """source, language (whose rules apply), license, and bytes of text before anything is removed."""
    notes: tuple[str, ...] = ()
    gained: tuple[Example, ...] = ()
    lost: tuple[Example, ...] = ()

    def totals(self) -> dict[str, int]:
        """Documents and bytes kept before and after; documents gained and lost."""
        return self._sums(pa.array(["all"] * len(self.after)))["all"]

    def by(self, what: str) -> dict[str, dict[str, int]]:
        """The totals for each "source", "language" or "license"."""
        return self._sums(self.documents[what].combine_chunks())

    def reasons(self) -> dict[str, dict[str, int]]:
        """For each rule, the documents that it drops as the first failing rule, before and after."""
        return self._counts("reason")

    def splits(self) -> dict[str, dict[str, int]]:
        """Documents in each split, before and after."""
        return self._counts("split")

    def as_dict(self) -> dict[str, Any]:
        """Everything but the verdicts on single documents, as plain data for JSON."""
        return {
            "settings": list(self.settings),
            "notes": list(self.notes),
            "total": self.totals(),
            "reasons": self.reasons(),
            "splits": self.splits(),
            **{f"by_{what}": self.by(what) for what in GROUPS},
            "examples": {"gained": [vars(item) for item in self.gained], "lost": [vars(item) for item in self.lost]},
        }

    def _sums(self, group: pa.Array) -> dict[str, dict[str, int]]:
        before, after = (table["kept"].to_numpy() for table in (self.before, self.after))
        size = self.documents["bytes"].to_numpy()
        encoded = group.dictionary_encode()
        names, number = encoded.dictionary.to_pylist(), encoded.indices.to_numpy()
        columns = {
            "documents_before": before,
            "documents_after": after,
            "bytes_before": before * (size - self.before["removed"].to_numpy()),
            "bytes_after": after * (size - self.after["removed"].to_numpy()),
            "gained": after & ~before,
            "lost": before & ~after,
        }
        sums = {what: np.bincount(number, values, len(names)).astype(int) for what, values in columns.items()}
        order = sorted(range(len(names)), key=names.__getitem__)
        return {names[at]: {what: int(sums[what][at]) for what in sums} for at in order}

    def _counts(self, column: str) -> dict[str, dict[str, int]]:
        counts = {"before": _count(self.before[column]), "after": _count(self.after[column])}
        names = sorted(set().union(*counts.values()))
        return {name: {when: count[name] for when, count in counts.items()} for name in names}


def _count(column: pa.ChunkedArray) -> Counter[str]:
    return Counter({item["values"]: item["counts"] for item in pc.value_counts(column.drop_null()).to_pylist()})


def changed(raw: Mapping[str, Any], settings: Sequence[str], removed: Sequence[str] = ()) -> dict[str, Any]:
    """The `ASKED` sections of params.yaml with `settings` ("filter.gopher_quality.min_words=30") and without `removed`.

    Raises ParamsError for a setting that is malformed or names a key that cannot be changed here.
    """
    result = {name: raw.get(name) for name in ASKED}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise ParamsError(f"`{setting}` sets nothing", where="--set", fix=f"write `--set {setting}=VALUE`")
        _put(result, _path(key, "--set"), _yaml(value, setting))
    for key in removed:
        *path, last = _path(key, "--unset")
        target: Any = result
        for name in path:
            target = target.get(name) if isinstance(target, dict) else None
        target = target if isinstance(target, dict) else {}
        if last not in target:
            raise ParamsError(
                f"`{key}` is not set", where="--unset", fix=did_you_mean(last, target) if target else None
            )
        del target[last]
    return result


def _path(key: str, option: str) -> list[str]:
    path = key.strip().split(".")
    if path[0] not in ASKED:
        if path[0] in elek_params.SECTIONS:
            what = f"`{key}` belongs to `{path[0]}`, and what that stage makes is not stored for other settings"
            fix = f"change it in params.yaml and run `elek run`; what-if asks about {', '.join(ASKED)}"
            raise ParamsError(what, where=option, fix=fix)
        raise ParamsError(f"unknown section `{path[0]}`", where=option, fix=did_you_mean(path[0], ASKED))
    if len(path) < 2 or not all(path):
        raise ParamsError(
            f"`{key}` names no key", where=option, fix=f"write `{option} {path[0]}.KEY{'=VALUE' * (option == '--set')}`"
        )
    return path


def _yaml(value: str, setting: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(value)
    except (YAMLError, ValueError, RecursionError) as error:  # ValueError: an impossible date, an endless number
        raise ParamsError(f"`{setting}`: the value is not valid YAML: {error}", where="--set") from None


def _put(raw: dict[str, Any], path: list[str], value: Any) -> None:
    *folders, last = path
    for at, name in enumerate(folders):
        below = raw.get(name)
        if below is not None and not isinstance(below, dict):
            # The threshold is one number for all languages, and the setting is about one language.
            if at < 2:
                key = ".".join(path[: at + 1])
                beside = ".".join([*path[:at], last])
                fix = f"write `--set {key}=VALUE` or `--set {beside}=VALUE`"
                raise ParamsError(f"`{key}` is a value ({below}) and holds no keys", where="--set", fix=fix)
            below = {"default": below}
        if below is None and at == 2 and last != "default" and (declared := rule(".".join(path[1:3]))):
            # For all other languages the threshold stays what it is: the default, or null where params.yaml says so.
            rest = None if name in raw else declared.default
            below = rest if isinstance(rest, Mapping) else {"default": rest}
        raw[name] = dict(below or {})
        raw = raw[name]
    raw[last] = value


def whatif(project: Path, settings: Sequence[str], removed: Sequence[str] = (), examples: int = 5) -> WhatIf:
    """Compare the last run of `filter`, `dedup` and `split` with what params.yaml under `settings` would give.

    Raises ParamsError for settings that cannot be, DataError where a stage has not run or a side would be empty.
    """
    raw = changed(elek_params.read(project / "params.yaml"), settings, removed)
    try:
        filters = elek_params.parse("filter", raw["filter"], FilterParams)
        deduped = elek_params.parse("dedup", raw["dedup"], DedupParams)
        split = elek_params.parse("split", raw["split"], SplitParams)
    except ParamsError as error:
        raise ParamsError(error.what, where="params.yaml with the settings", fix=error.fix) from None
    replay = Replay(project / "data")
    before, after = replay.last(), replay.decide(filters, deduped, split)
    signals = replay.annotate.read_all([*GROUPS.values(), "bytes"]).rename_columns([*GROUPS, "bytes"])
    described = (*settings, *(f"{key} removed" for key in removed))
    result = WhatIf(described, before, after, signals, tuple(replay.notes))
    kept_before, kept_after = before["kept"].to_numpy(), after["kept"].to_numpy()
    return replace(
        result,
        gained=_examples(replay.clean, before, np.flatnonzero(kept_after & ~kept_before), examples),
        lost=_examples(replay.clean, after, np.flatnonzero(kept_before & ~kept_after), examples),
    )


def _examples(clean: Dataset, dropped: pa.Table, rows: Any, count: int) -> tuple[Example, ...]:
    """At most `count` of `rows`, always the same ones, with their reason in `dropped` and first words in `clean`.

    Reading one text means reading its whole part, so the examples come from as few parts as possible. A hash of the
    number chooses the parts and the rows in them.
    """
    ends = np.cumsum([part.rows for part in clean.parts])
    parts = np.searchsorted(ends, rows, side="right")
    found: list[Example] = []
    for part in sorted(set(parts.tolist()), key=_drawn):
        inside = sorted(rows[parts == part].tolist(), key=_drawn)[: count - len(found)]
        if not inside:
            break
        start = int(ends[part]) - clean.parts[part].rows
        table = clean.read(part, ["id", "text"])
        for row in inside:
            text = table["text"][row - start].as_py()
            words = " ".join(text[: 40 * WORDS].split()[:WORDS])
            found.append(Example(table["id"][row - start].as_py(), dropped["reason"][row].as_py(), words))
    return tuple(found)


def _drawn(number: int) -> bytes:
    return blake2b(number.to_bytes(8, "little"), digest_size=8).digest()
