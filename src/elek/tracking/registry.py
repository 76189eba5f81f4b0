"""Registration: the model of this pipeline run becomes a version in MLflow's registry, once.

Not a DVC stage but a step after them, keyed by DVC's digest of the model: the same model is found again
whenever it comes back, and a lost database is filled again. A version that passes the gates is the
`challenger`; it becomes the `champion` where there is none, or where it is measurably better on the same text.
A model whose code no commit holds is registered with a tag that says so, and never promoted.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import Field

from elek.dataset import write_json
from elek.errors import DataError
from elek.evaluation.names import CAUSAL, MASKED, key, words
from elek.lineage import worktree
from elek.lineage.worktree import MODEL, Lineage
from elek.params import Section, load
from elek.tracking.tagging import DIRTY, DIRTY_BECAUSE, SCORE, objective, scores, trained_for, version_tags

if TYPE_CHECKING:
    from elek.tracking.store import Store, Version

HeldOut = Literal["validation", "test", "evaluation"]
CHAMPION, CHALLENGER = "champion", "challenger"


class Gates(Section):
    """What a model must reach to be registered at all; null opens a gate. A causal model's gates do not judge a masked
    one, whose figures are lower by their nature: it has gates of its own, and is refused where only theirs are set."""

    max_validation_bits_per_byte: float | None = Field(default=None, gt=0)
    """Of a causal model, on the validation split; comparable between vocabularies, unlike loss and perplexity."""
    max_test_bits_per_byte: float | None = Field(default=None, gt=0)
    """On the test split."""
    max_evaluation_bits_per_byte: float | None = Field(default=None, gt=0)
    """On the sources whose role is `evaluation`."""
    max_validation_pseudo_bits_per_byte: float | None = Field(default=None, gt=0)
    """Of a masked model, on the validation split; see `elek.evaluation.masked`."""
    max_test_pseudo_bits_per_byte: float | None = Field(default=None, gt=0)
    """On the test split."""
    max_evaluation_pseudo_bits_per_byte: float | None = Field(default=None, gt=0)
    """On the sources whose role is `evaluation`."""


class RegisterParams(Section):
    """When and under which name a model is registered. Not a DVC stage, and so never declared to DVC."""

    model: str = Field(default="elek", min_length=1, pattern=r"^[^/:.%\"']+$")
    """Name of the registered model."""
    gates: Gates = Field(default_factory=Gates)
    champion_by: HeldOut = "validation"
    """The held-out text on which a challenger must have fewer bits per byte than the champion."""


State = Literal["Registered", "Found", "Refused", "Skipped"]


@dataclass(frozen=True)
class Outcome:
    """What registration did, for people and for `elek run --json`."""

    state: State
    model: str
    version: int | None = None
    aliases: tuple[str, ...] = ()
    promoted: bool = False
    reasons: tuple[str, ...] = field(default=())
    """Why it was refused or skipped, or why it was not promoted."""
    run_id: str | None = None

    def lines(self) -> list[str]:
        """The outcome in plain words, the first line being the gist."""
        if self.version is None:
            gist = {"Refused": f"no version of `{self.model}`: a gate refused it", "Skipped": "nothing to register"}
            return [gist[self.state], *self.reasons]
        how = "registered now" if self.state == "Registered" else "this very model was there already"
        tags = "".join(f" @{alias}" for alias in self.aliases)
        return [f"{self.model} version {self.version}{tags} ({how})", *self.reasons]


def register(project: Path, *, flow_run_id: str | None = None, promote: bool = False) -> Outcome:
    """Register the model in `data/train`, or find it again. `promote` makes it champion without a comparison.

    The caller holds the run lock and has made sure that the pipeline is up to date.
    Raises ParamsError, and DataError where the files are not those that dvc.lock names.
    """
    params = load(project / "params.yaml", "register", RegisterParams)
    outcome = _register(project, params, worktree.read(project), flow_run_id, promote)
    write_json(_outcome_file(project), asdict(outcome))
    return outcome


def last_outcome(project: Path) -> Outcome | None:
    """What the last registration in this project said; None where there was none."""
    try:
        raw: dict[str, Any] = json.loads(_outcome_file(project).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return Outcome(**{**raw, "aliases": tuple(raw["aliases"]), "reasons": tuple(raw["reasons"])})


def _outcome_file(project: Path) -> Path:
    return project / ".cache" / "registration.json"


def _register(
    project: Path, params: RegisterParams, origin: Lineage, flow_run_id: str | None, promote: bool
) -> Outcome:
    if MODEL not in origin.outs:
        return Outcome("Skipped", params.model, reasons=(f"dvc.lock has no {MODEL}: this pipeline trains no model",))
    worktree.verify(project, origin.outs, *(name for name in _USED if name in origin.outs))
    kind = trained_for(project)
    measured = _measured(project, kind)

    from elek.tracking.store import open_store

    with open_store(project, params.model) as store:
        run_id = store.ensure_run(origin, flow_run_id)
        refusals = _refusals(params.gates, measured, kind)
        if refusals:
            return Outcome("Refused", params.model, reasons=tuple(refusals), run_id=run_id)
        version = store.find_version(origin.outs[MODEL])
        state: State = "Found" if version else "Registered"
        if version is None:
            version = store.create_version(run_id, version_tags(project, origin, measured, flow_run_id))
        elif version.tags.get(DIRTY) == "true" and not origin.dirty:
            # The same bytes, up to date with what is now committed: it has become traceable.
            version = store.retag(version, version_tags(project, origin, measured, flow_run_id))
        return _give_alias(store, params, version, state, promote, run_id)


_USED = (MODEL, "data/vocab", "data/export", "reports/train.json", "reports/evaluate.json")


def _measured(project: Path, objective: str) -> dict[str, float]:
    """Bits per byte by held-out text, as far as `evaluate` measured them of a model of this objective."""
    path = project / "reports" / "evaluate.json"
    try:
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except json.JSONDecodeError as error:
        raise DataError(f"damaged: {error}", where=str(path), fix="run `dvc repro evaluate`") from None
    found = {name: (report.get(name) or {}).get(key(SCORE, objective)) for name in get_args(HeldOut)}
    return {name: float(value) for name, value in found.items() if value is not None}


def _refusals(gates: Gates, measured: dict[str, float], objective: str) -> list[str]:
    refusals = []
    unit, limits = words(SCORE, objective), gates.model_dump()
    for name in get_args(HeldOut):
        of = {kind: f"max_{name}_{key(SCORE, kind)}" for kind in (CAUSAL, MASKED)}
        own = of.pop(objective)
        limit, (other,) = limits[own], of.values()
        if limit is not None and name not in measured:
            refusals.append(f"register.gates.{own}: `evaluate` measured no {name} {unit}")
        elif limit is not None and not measured[name] <= limit:
            refusals.append(f"register.gates.{own}: {measured[name]:.4f} {unit} is above {limit}")
        elif limit is None and limits[other] is not None:
            refusals.append(f"register.gates.{other} cannot judge a {objective} model: set {own}, or null")
    return refusals


def _give_alias(
    store: Store, params: RegisterParams, version: Version, state: State, promote: bool, run_id: str
) -> Outcome:
    def outcome(promoted: bool, *reasons: str) -> Outcome:
        aliases = tuple(sorted(alias for alias, number in store.aliases().items() if number == version.number))
        return Outcome(state, params.model, version.number, aliases, promoted, reasons, run_id)

    aliases = store.aliases()
    if aliases.get(CHAMPION) == version.number:
        return outcome(False)
    champion = store.version(aliases[CHAMPION]) if CHAMPION in aliases else None
    reason = _not_promoted(params.champion_by, version, champion, promote)
    if reason:
        store.set_alias(CHALLENGER, version.number)
        return outcome(False, f"not promoted: {reason}")
    store.set_alias(CHAMPION, version.number)
    if aliases.get(CHALLENGER) == version.number:
        store.drop_alias(CHALLENGER)
    return outcome(True)


def _not_promoted(by: HeldOut, version: Version, champion: Version | None, promote: bool) -> str | None:
    """Why `version` does not become champion; None where it does."""
    if version.tags.get(DIRTY) != "false":
        because = version.tags.get(DIRTY_BECAUSE, "its commit is unknown")
        return f"no commit holds what made it ({because}); commit, then `elek run` finds it again and decides anew"
    if champion is None or promote:
        return None
    other, text = f"champion version {champion.number}", f"text.{by}"
    by_hand = "`elek register --promote` makes this one champion all the same"
    mine_is, theirs_is = objective(version.tags), objective(champion.tags)
    if mine_is != theirs_is:
        # A masked model's bits are pseudo: it has seen both sides of each token that it predicts.
        return f"it is a {mine_is} model and {other} a {theirs_is} one, so that bits per byte do not compare; {by_hand}"
    mine, theirs = scores(version.tags).get(by), scores(champion.tags).get(by)
    unit = words(SCORE, mine_is)
    if mine is None or theirs is None:
        return f"{by} {unit} are not known of both it and {other}; {by_hand}"
    if version.tags.get(text) != champion.tags.get(text):
        return f"{other} was measured on another {by} text, so the two do not compare; {by_hand}"
    return None if mine < theirs else f"{mine:.4f} {by} {unit}, and {other} has {theirs:.4f}"
