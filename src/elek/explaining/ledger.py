"""The ledger: what every stage did with one document, read from the columns that the stages wrote.

The ledger needs no storage of its own. `story` follows a document through all stages; `elek why` prints it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from elek.dataset import Dataset
from elek.errors import DataError
from elek.explaining.finding import Place, find
from elek.explaining.neighbours import nearest_kept, related_documents
from elek.explaining.standings import INCLUSIVE, Standing, State, stage_rules, standings
from elek.filtering import HELD, FilterParams, columns_for
from elek.text.cleaning import mask_url

DECISIONS = {"filter": "data/filter", "dedup": "data/dedup", "split": "data/split/decisions"}
"""Folder of the decisions of each stage that decides, in the order of the stages."""


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
            # The side of the value shows which way the rule compares.
            side = "is below" if self.value < self.threshold else "is above"
            numbers += f" {'is at or above' if self.rule == INCLUSIVE else side} {self.threshold:.6g}"
        evidence = f" ({self.evidence})" if self.evidence else ""
        return f"{self.rule}{numbers}{evidence}"


@dataclass(frozen=True)
class Event:
    """What one stage did with the document."""

    stage: str
    what: str
    failures: tuple[Failure, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)
    """More from the columns of the stage: masked personal data, measured signals, the surviving duplicate."""
    rules: tuple[Standing, ...] = ()
    """Every rule that the stage applied to the document, whether it fails or not."""


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
        """The fields as plain data for JSON, every rule with its margin."""
        events = [{**vars(e), "failures": [vars(f) for f in e.failures]} for e in self.events]
        for event, own in zip(events, self.events, strict=True):
            event["rules"] = [standing.plain() for standing in own.rules]
        return {**vars(self), "events": events}


def story(project: Path, doc_id: str) -> Story:
    """What happened to the document. Raises DataError, naming the most similar ids, where no source has this id."""
    place, data = find(project, doc_id), project / "data"
    document = place.read(data / "fetch" / place.role, ["id", "source", "license", "lang", "url", "text"])
    document["url"] = mask_url(document["url"])  # `fetch` has it as it was
    size = len(str(document.pop("text")).encode())
    events = [Event("fetch", f"read from source `{document['source']}`, {size:,} bytes")]
    clean = data / "clean" / place.role
    if clean.is_dir():
        events.append(_cleaned(place.read(clean), size))
    if place.role == "evaluation":
        fate = "held out for evaluation: no filter touches it, and no training sees it"
        return Story(role=place.role, fate=fate, events=tuple(events), **document)
    if (data / "annotate").is_dir():
        events.append(_measured(place.read(data / "annotate")))
    fate = "not decided yet: run `elek run`"
    for stage, name in DECISIONS.items():
        if not (project / name).is_dir():
            break
        decision = place.read(project / name)
        if not decision["entered"]:
            break
        event = _decided(project, stage, decision, place)
        events.append(event)
        fate = f"{event.what} by {stage}: {event.failures[0]}" if event.failures else event.what
        if event.failures:
            break
    else:
        events += _tokenized(project, place, str(decision["split"]))
    return Story(role=place.role, fate=fate, events=tuple(events), **document)


def _cleaned(after: Mapping[str, Any], size_before: int) -> Event:
    size = len(str(after["text"]).encode())
    masked = {name: value for name, value in after.items() if name.startswith("pii.") and value}
    what = f"{size_before:,} bytes in, {size:,} out" if size != size_before else "size unchanged"
    return Event("clean", what, details=masked)


def _measured(measured: Mapping[str, Any]) -> Event:
    known = {"id", "source", "license", "lang", "hash.text", "hash.minhash"}
    signals = {name: value for name, value in measured.items() if name not in known and value not in (None, "", [])}
    return Event("annotate", f"{len(signals)} signals measured", details=signals)


def _decided(project: Path, stage: str, decision: Mapping[str, Any], place: Place) -> Event:
    failures = tuple(Failure(**failure) for failure in decision["failures"])
    shown = ("survivor", "cluster", "split", "released")
    extra = {key: value for key, value in decision.items() if key in shown and value}
    if failures:
        what = "held for review" if failures[0].rule == HELD else "dropped"
    elif stage == "split":
        what = f"kept, in the {extra.pop('split')} split"
    else:
        what = "released from hold" if "released" in extra else "kept"
    if removed := decision.get("remove"):
        extra["removed"] = f"{sum(item['end'] - item['start'] for item in removed):,} bytes in {len(removed):,} places"
    similarity = None
    if stage == "dedup" and not failures:
        extra |= related_documents(Dataset(project / DECISIONS[stage]), place.id, extra.get("cluster"))
        if near := nearest_kept(project / "data", place.part, place.row):
            extra["nearest that stays"], similarity = near
    return Event(stage, what, failures, extra, tuple(_standings(project, stage, decision, place, similarity)))


def _standings(
    project: Path, stage: str, decision: Mapping[str, Any], place: Place, similarity: float | None
) -> Iterator[Standing]:
    """Every rule of the stage with the threshold by which it decided, which the stage's manifest records.

    `similarity`, for a document that `dedup` keeps, is its similarity to the nearest other one that is kept.
    """
    params = Dataset(project / DECISIONS[stage]).manifest.get("params")
    if params is None:
        return
    if stage == "filter":
        by = FilterParams(params)
        signals = Dataset(project / "data" / "annotate").read(place.part, columns_for(by)).slice(place.row, 1)
        yield from standings(signals, by)
        return
    failing = {failure["rule"]: failure for failure in decision["failures"]}
    for rule in stage_rules(stage, params):
        failure = failing.get(rule, {})
        state: State = "fails" if failure else "passes"
        value, threshold, evidence = (failure.get(key) for key in ("value", "threshold", "evidence"))
        if rule == "dedup.minhash":
            value, threshold = similarity if value is None else value, params["jaccard"]
        elif rule == "split.contaminated":
            value, threshold = decision.get("contamination"), params["decontaminate_share"]
            state = "not measured" if value is None else state  # only training text is compared
        yield Standing(rule, state, value, threshold, None if threshold is None else "above", evidence)


def _tokenized(project: Path, place: Place, split: str) -> Iterator[Event]:
    """Where the tokens of the document are. Shards are numbered as the parts of `split` and `clean` are."""
    folder = project / "data" / "tokenize" / split
    if not folder.is_dir():
        return
    shards = Dataset(folder)
    row, tokens = _in_shard(shards.path(place.part), place.id) if place.part < len(shards.parts) else (-1, 0)
    if row < 0:
        what = f"{place.id} is in the {split} split and not in its shard"
        raise DataError(what, where=str(folder), fix="run `dvc repro tokenize`")
    shard = shards.path(place.part)
    yield Event(
        "tokenize",
        f"{tokens:,} tokens, in row {row:,} of {shard.relative_to(project).as_posix()}",
        details={"split": split, "shard": shard.name, "row": row, "tokens": tokens},
    )


def _in_shard(shard: Path, doc_id: str) -> tuple[int, int]:
    """The row of a document in a token shard (-1 where it is missing), and its number of tokens."""
    with pa.memory_map(str(shard)) as file:
        table = pa.ipc.open_file(file).read_all()
        row = int(pc.index(table["id"], pa.scalar(doc_id)).as_py())
        return row, 0 if row < 0 else int(pc.list_value_length(table["tokens"].slice(row, 1))[0].as_py())
