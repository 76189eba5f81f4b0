"""The ledger: what every stage decided about every document, read from the columns that the stages wrote.

Nothing is stored for it. `rows` is the view that reports build on, one line per failing rule; `story` is one
document's way through all stages, which `elek why` tells.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from elek.dataset import Dataset
from elek.errors import DataError
from elek.explaining.kin import kin, nearest_kept
from elek.explaining.rules import Standing, State, stage_rules, standings
from elek.filtering import FilterParams, columns_for

LEDGER = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("stage", pa.string(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("threshold", pa.float64()),
        pa.field("evidence", pa.string()),
    ]
)
"""A document has as many lines as rules that it fails; a kept one has none."""

HELD = "licence.held"
"""The rule that neither keeps nor condemns: a person is to look at what it names."""

STALE = "run `dvc repro tokenize`"

DECISIONS = {"filter": "data/filter", "dedup": "data/dedup", "split": "data/split/decisions"}
"""Where each deciding stage wrote its decisions, in the order of the stages."""


@dataclass(frozen=True)
class Failure:
    """One rule that a document fails. `value` and `threshold` are None where the rule compares no numbers."""

    rule: str
    value: float | None
    threshold: float | None
    evidence: str | None

    def __str__(self) -> str:
        numbers = "" if self.value is None else f": {self.value:.6g}"
        if self.value is not None and self.threshold is not None:
            # Comparisons are strict, so the side on which the value lies says which way the rule looks.
            side = "below" if self.value < self.threshold else "above"
            numbers = f": {self.value:.6g} is {side} {self.threshold:.6g}"
        evidence = f" ({self.evidence})" if self.evidence else ""
        return f"{self.rule}{numbers}{evidence}"


@dataclass(frozen=True)
class Event:
    """What one stage did with the document."""

    stage: str
    what: str
    failures: tuple[Failure, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)
    """Columns of the stage that say more: masked PII, measured signals, the surviving duplicate."""
    rules: tuple[Standing, ...] = ()
    """Every rule that the stage asked of the document, failing or not."""


@dataclass(frozen=True)
class Story:
    """Everything that happened to one document."""

    id: str
    source: str
    license: str
    lang: str
    url: str
    role: str
    fate: str
    events: tuple[Event, ...]

    def plain(self) -> dict[str, Any]:
        """For JSON: as the fields, every rule with its margin."""
        events = [{**vars(e), "failures": [vars(f) for f in e.failures]} for e in self.events]
        for event, own in zip(events, self.events, strict=True):
            event["rules"] = [standing.plain() for standing in own.rules]
        return {**vars(self), "events": events}


def rows(project: Path) -> Iterator[pa.Table]:
    """The ledger (`LEDGER`) in pieces, a stage after the other, parts in order. Stages not yet run are left out."""
    for stage, name in DECISIONS.items():
        folder = project / name
        if not folder.is_dir():
            continue
        decisions, documents = Dataset(folder), Dataset(project / "data" / "clean" / "train")
        for index in range(len(decisions.parts)):
            table = decisions.read(index, ["id", "failures"])
            source = documents.read(index, ["source"])["source"]
            failures = table["failures"].combine_chunks()
            parents = pc.list_parent_indices(failures)
            items = pc.list_flatten(failures)
            columns = [
                table["id"].combine_chunks().take(parents),
                source.combine_chunks().take(parents),
                pa.array([stage] * len(parents), pa.string()),
                *(pc.struct_field(items, key) for key in ("rule", "value", "threshold", "evidence")),
            ]
            yield pa.Table.from_arrays(columns, schema=LEDGER)


def story(project: Path, doc_id: str) -> Story:
    """What happened to the document. Raises DataError for an id that no source has, naming the nearest ones."""
    role, part, row = _find(project, doc_id)
    document = _row(project / "data" / "fetch" / role, part, row, ["source", "license", "lang", "url", "text"])
    size = len(str(document.pop("text")).encode())
    events = [Event("fetch", f"read from source `{document['source']}`, {size:,} bytes")]
    clean = project / "data" / "clean" / role
    if clean.is_dir():
        events.append(_cleaned(clean, part, row, size))
    if role == "evaluation":
        fate = "held out for evaluation: no filter touches it, and no training sees it"
        return Story(id=doc_id, role=role, fate=fate, events=tuple(events), **document)
    annotate = project / "data" / "annotate"
    if annotate.is_dir():
        events.append(_measured(project, part, row))
    fate = "not decided yet: run `elek run`"
    for stage, name in DECISIONS.items():
        if not (project / name).is_dir():
            break
        decision = _row(project / name, part, row)
        if not decision["entered"]:
            break
        event = _decided(project, stage, decision, part, row)
        events.append(event)
        fate = f"{event.what} by {stage}: {event.failures[0]}" if event.failures else event.what
        if event.failures:
            break
    else:
        events += _tokenized(project, part, doc_id, str(decision.get("split")))
    return Story(id=doc_id, role=role, fate=fate, events=tuple(events), **document)


def _cleaned(folder: Path, part: int, row: int, size_before: int) -> Event:
    after = _row(folder, part, row)
    size = len(str(after["text"]).encode())
    masked = {name: value for name, value in after.items() if name.startswith("pii.") and value}
    what = f"{size_before:,} bytes in, {size:,} out" if size != size_before else "size unchanged"
    return Event("clean", what, details=masked)


def _measured(project: Path, part: int, row: int) -> Event:
    known = {"id", "source", "license", "lang", "hash.text", "hash.minhash"}
    measured = _row(project / "data" / "annotate", part, row)
    signals = {name: value for name, value in measured.items() if name not in known and value not in (None, "", [])}
    return Event("annotate", f"{len(signals)} signals measured", details=signals)


def _decided(project: Path, stage: str, decision: dict[str, Any], part: int, row: int) -> Event:
    failures = tuple(Failure(**failure) for failure in decision["failures"])
    extra = {
        key: value for key, value in decision.items() if key in ("survivor", "cluster", "split", "released") and value
    }
    what = "dropped" if failures else "kept"
    if failures and failures[0].rule == HELD:
        what = "held for review"
    if "released" in extra:
        what = "released from hold" if not failures else what
    removed = decision.get("remove")
    if removed:
        extra["removed"] = f"{sum(item['end'] - item['start'] for item in removed):,} bytes in {len(removed):,} places"
    if stage == "split" and not failures:
        what = f"kept, in the {extra.pop('split', 'unknown')} split"
    near = None
    if stage == "dedup" and not failures:
        extra |= kin(Dataset(project / DECISIONS[stage]), str(decision["id"]), extra.get("cluster"))
        if near := nearest_kept(project / "data", part, row):
            extra["nearest that stays"] = near[0]
    similarity = near[1] if near else None
    return Event(stage, what, failures, extra, tuple(_standings(project, stage, decision, part, row, similarity)))


def _standings(
    project: Path, stage: str, decision: dict[str, Any], part: int, row: int, similarity: float | None
) -> Iterator[Standing]:
    """Every rule of the stage, with the thresholds by which it decided: those that its manifest records."""
    params = Dataset(project / DECISIONS[stage]).manifest.get("params")
    if params is None:
        return
    if stage == "filter":
        by = FilterParams(params)
        signals = Dataset(project / "data" / "annotate").read(part, columns_for(by)).slice(row, 1)
        yield from standings(signals, by)
        return
    failing = {failure["rule"]: failure for failure in decision["failures"]}
    for rule in stage_rules(params):
        value, threshold = (failing.get(rule) or {}).get("value"), (failing.get(rule) or {}).get("threshold")
        if rule == "split.contaminated":
            value, threshold = decision.get("contamination"), params["decontaminate_share"]
        elif rule == "dedup.minhash":
            threshold = params["jaccard"]
            value = similarity if value is None else value
        state: State = "fails" if rule in failing else "passes"
        if rule == "split.contaminated" and value is None:
            state = "not measured"  # asked of training text alone
        evidence = (failing.get(rule) or {}).get("evidence")
        yield Standing(rule, state, value, threshold, None if rule == "dedup.exact" else "above", evidence)


def _tokenized(project: Path, part: int, doc_id: str, split: str) -> Iterator[Event]:
    """Where the document's tokens are: shards follow the parts of `split`, which follow those of `clean`."""
    folder = project / "data" / "tokenize" / split
    if not folder.is_dir():
        return
    shard = Dataset(folder).path(part)
    with pa.memory_map(str(shard)) as file:
        table = pa.ipc.open_file(file).read_all()
        row = pc.index(table["id"], pa.scalar(doc_id)).as_py()
        if row < 0:
            raise DataError(f"{doc_id} is in the {split} split and not in its shard", where=str(shard), fix=STALE)
        tokens = int(pc.list_value_length(table["tokens"].slice(row, 1))[0].as_py())
    yield Event(
        "tokenize",
        f"{tokens:,} tokens, in row {row:,} of {shard.relative_to(project).as_posix()}",
        details={"split": split, "shard": shard.name, "row": row, "tokens": tokens},
    )


def _find(project: Path, doc_id: str) -> tuple[str, int, int]:
    """Role, part and row of a document. Only the id columns are read."""
    folders = _fetched(project)
    if not folders:
        raise DataError("no documents have been fetched yet", where=str(project), fix="run `elek run`")
    for role, folder in folders:
        dataset = Dataset(folder)
        for part in range(len(dataset.parts)):
            row = pc.index(dataset.read(part, ["id"])["id"], pa.scalar(doc_id)).as_py()
            if row >= 0:
                return role, part, int(row)
    near = _nearest(doc_id, (value for _, folder in folders for value in _ids(folder)))
    fix = f"the nearest: {', '.join(f'`{value}`' for value in near)}" if near else None
    raise DataError(f"no document has the id `{doc_id}`", where=str(project / "data" / "fetch"), fix=fix)


def _fetched(project: Path) -> list[tuple[str, Path]]:
    folders = [(role, project / "data" / "fetch" / role) for role in ("train", "evaluation")]
    return [(role, folder) for role, folder in folders if folder.is_dir()]


def has_document(project: Path, doc_id: str) -> bool:
    """Whether any source has a document of this id."""
    return any(doc_id in set(_ids(folder)) for _, folder in _fetched(project))


def _ids(folder: Path) -> Iterator[str]:
    dataset = Dataset(folder)
    for part in range(len(dataset.parts)):
        yield from dataset.read(part, ["id"])["id"].to_pylist()


def _nearest(doc_id: str, ids: Iterable[str]) -> list[str]:
    """The three likest ids. The cheap upper bounds of the ratio come first: there may be millions."""
    matcher = SequenceMatcher(a="", b=doc_id, autojunk=False)
    best: list[tuple[float, str]] = []
    for candidate in ids:
        floor = best[0][0] if len(best) == 3 else 0.3
        matcher.set_seq1(candidate)
        if matcher.real_quick_ratio() > floor and matcher.quick_ratio() > floor and matcher.ratio() > floor:
            entry = (matcher.ratio(), candidate)
            if len(best) == 3:
                heapq.heapreplace(best, entry)
            else:
                heapq.heappush(best, entry)
    return [candidate for _, candidate in sorted(best, key=lambda item: (-item[0], item[1]))]


def _row(folder: Path, part: int, row: int, columns: list[str] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = Dataset(folder).read(part, columns).slice(row, 1).to_pylist()[0]
    return found
