"""Registration: once per model, through gates; champion only when better and traceable; a lost database refilled."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.dataset import write_json
from elek.errors import DataError, ParamsError
from elek.evaluation.names import NOTE, key
from elek.params import parse
from elek.tracking import registry
from elek.tracking.registry import Outcome, RegisterParams, register
from elek.tracking.store import Version, open_store
from elek.tracking.tagging import scores
from tests.project import git
from tests.registered import commit, held_out, make_trained_project, relock, set_params, train


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """A project and the outcome of its first registration."""
    folder = make_trained_project(tmp_path_factory.mktemp("registered"))
    return folder, register(folder, flow_run_id="flow-1")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A trained project that nobody has registered yet."""
    return make_trained_project(tmp_path)


def test_the_first_model_becomes_champion(registered: tuple[Path, Outcome]) -> None:
    """Where there is no champion, a traceable model that passes the gates is it."""
    folder, outcome = registered
    assert (outcome.state, outcome.version, outcome.aliases, outcome.promoted) == ("Registered", 1, ("champion",), True)
    with open_store(folder, "elek") as store:
        tags = store.version(1).tags
    assert tags["bits_per_byte.validation"] == "2.0"
    assert (tags["git_dirty"], tags["prefect_flow_run_id"]) == ("false", "flow-1")


def test_the_same_model_is_found_again(registered: tuple[Path, Outcome]) -> None:
    """A second registration makes neither a run nor a version."""
    folder, first = registered
    again = register(folder, flow_run_id="flow-2")
    assert (again.state, again.version, again.aliases) == ("Found", 1, ("champion",))
    assert again.run_id == first.run_id
    assert registry.last_outcome(folder) == again


@pytest.mark.slow
def test_champion_only_when_better(project: Path) -> None:
    """A worse model stays challenger, with the figures; a better one takes over; an old one is found again."""
    register(project)
    train(project, seed=2, bits_per_byte=2.5)
    worse = register(project)
    assert (worse.version, worse.aliases, worse.promoted) == (2, ("challenger",), False)
    assert "2.5000 validation bits per byte, and champion version 1 has 2.0000" in worse.lines()[1]
    train(project, seed=3, bits_per_byte=1.5)
    better = register(project)
    assert (better.version, better.aliases) == (3, ("champion",))
    train(project, seed=1, bits_per_byte=2.0)
    back = register(project)
    assert (back.state, back.version, back.aliases) == ("Found", 1, ("challenger",))


@pytest.mark.slow
def test_other_validation_text_does_not_compare(project: Path) -> None:
    """Fewer bits on another text prove nothing; `promote` decides by hand."""
    register(project)
    held_out(project, "validation", "Quite another text.")
    train(project, seed=2, bits_per_byte=1.0)
    outcome = register(project)
    assert not outcome.promoted
    assert "another validation text" in outcome.reasons[0]
    assert "--promote" in outcome.reasons[0]
    assert register(project, promote=True).aliases == ("champion",)


@pytest.mark.slow
def test_masked_and_causal_models_do_not_compare(project: Path) -> None:
    """Who sees both sides of a token needs fewer bits for it: no merit, in either direction; `promote` decides."""
    register(project)
    train(project, seed=2, bits_per_byte=0.5, objective="masked")
    outcome = register(project)
    assert (outcome.aliases, outcome.promoted) == (("challenger",), False)
    with open_store(project, "elek") as store:
        entry = store.entries()[0]
        shown = store.client.get_model_version("elek", "2").description
        run = store.client.get_run(entry.run_id).data
    assert scores(entry.tags) == {"validation": 0.5, "test": 0.5}
    assert not [name for name in (*entry.tags, *run.metrics) if "bits_per_byte" in name and "pseudo" not in name]
    assert shown.startswith("Pseudo-bits per byte: 0.5000 on validation, 0.5000 on test. Commit")
    assert NOTE in shown
    assert run.tags["mlflow.note.content"] == NOTE
    assert "it is a masked model and champion version 1 a causal one" in outcome.reasons[0]
    assert register(project, promote=True).promoted
    train(project, seed=3, bits_per_byte=0.4)
    assert "it is a causal model and champion version 2 a masked one" in register(project).reasons[0]


def test_versions_of_before_are_causal() -> None:
    """A champion that an earlier release registered has no such tag, and compares with causal models alone."""
    tags = {"git_dirty": "false", "text.test": "a"}
    old = Version(1, {**tags, "bits_per_byte.test": "2.0"})
    new = Version(2, {**tags, "bits_per_byte.test": "1.0", "objective": "causal"})
    masked = Version(3, {**new.tags, "objective": "masked"})  # as one of before was tagged
    assert registry._not_promoted("test", new, old, promote=False) is None
    assert "masked" in str(registry._not_promoted("test", masked, old, promote=False))
    better = Version(4, {**tags, "pseudo_bits_per_byte.test": "0.5", "objective": "masked"})
    assert registry._not_promoted("test", better, masked, promote=False) is None
    assert "1.0000 test pseudo-bits per byte" in str(registry._not_promoted("test", masked, better, promote=False))


@given(
    st.sampled_from(["causal", "masked"]), st.sampled_from(["causal", "masked"]), st.floats(0.1, 9), st.floats(0.1, 9)
)
@settings(deadline=None, max_examples=60)
def test_no_number_of_one_kind_ever_beats_one_of_the_other(mine: str, theirs: str, a: float, b: float) -> None:
    """Whatever the figures: a champion falls only to fewer bits of its own kind."""
    tags = {"git_dirty": "false", "text.validation": "a"}
    one, other = (
        Version(n, {**tags, "objective": kind, f"{key('bits_per_byte', kind)}.validation": repr(score)})
        for n, kind, score in ((2, mine, a), (1, theirs, b))
    )
    wins = registry._not_promoted("validation", one, other, promote=False) is None
    assert wins == (mine == theirs and a < b)


@pytest.mark.slow
def test_a_dirty_tree_is_never_promoted_until_committed(project: Path) -> None:
    """What no commit holds is registered, tagged and not promoted, not even by hand; a commit makes up for it."""
    (project / "dvc.yaml").write_text("stages: {}  # changed\n", encoding="utf-8")
    dirty = register(project, promote=True)
    assert (dirty.version, dirty.aliases) == (1, ("challenger",))
    assert "uncommitted changes in dvc.yaml" in dirty.reasons[0]
    commit(project)
    clean = register(project)
    assert (clean.state, clean.version, clean.aliases) == ("Found", 1, ("champion",))


@pytest.mark.slow
def test_what_the_stages_write_is_not_dirt(project: Path) -> None:
    """dvc.lock and reports change with every run and say nothing against a commit."""
    train(project, seed=5, bits_per_byte=1.9)
    assert git(project, "status", "--porcelain").split() != []
    assert register(project).promoted


@pytest.mark.slow
def test_without_git_nothing_is_promoted(project: Path) -> None:
    """A folder that is no repository registers, and says why it does not promote."""
    shutil.rmtree(project / ".git")
    outcome = register(project)
    assert outcome.version == 1
    assert not outcome.promoted
    assert "not a git repository" in outcome.reasons[0]


@pytest.mark.slow
def test_a_gate_keeps_a_model_out_until_it_opens(project: Path) -> None:
    """A refused model has a run and no version; with the gate open the same run becomes a version."""
    set_params(project, {"gates": {"max_validation_bits_per_byte": 1.9}})
    refused = register(project)
    assert (refused.state, refused.version) == ("Refused", None)
    assert "2.0000 bits per byte is above 1.9" in refused.reasons[0]
    set_params(project, {"gates": {"max_validation_bits_per_byte": 2.0}})
    passed = register(project)
    assert (passed.state, passed.version, passed.run_id) == ("Registered", 1, refused.run_id)


@pytest.mark.slow
def test_a_gate_without_its_measure_refuses(project: Path) -> None:
    """A gate on a figure that nobody measured does not let anything pass."""
    set_params(project, {"gates": {"max_evaluation_bits_per_byte": 9}})
    assert "measured no evaluation" in register(project).reasons[0]


@pytest.mark.slow
def test_a_lost_database_is_filled_again(registered: tuple[Path, Outcome], tmp_path: Path) -> None:
    """With mlflow.db gone the same model is registered anew, and works."""
    # In a copy, whose database this process never had open: it would keep a deleted file.
    project = Path(shutil.copytree(registered[0], tmp_path / "copy"))
    (project / "mlflow.db").unlink()
    outcome = register(project)
    assert (outcome.state, outcome.version, outcome.aliases) == ("Registered", 1, ("champion",))
    assert registry.last_outcome(project) == outcome
    assert register(project).state == "Found"


def test_no_model_is_said_and_not_hidden(project: Path) -> None:
    """A pipeline without a model stage has nothing to register, and that is what the outcome says."""
    (project / "dvc.lock").unlink()
    outcome = register(project)
    assert outcome.state == "Skipped"
    assert "trains no model" in outcome.lines()[1]


def test_altered_files_are_not_registered(project: Path) -> None:
    """A model that is not the one in dvc.lock is refused by name, and so is a missing one."""
    (project / "data" / "train" / "history.csv").write_text("", encoding="utf-8")
    with pytest.raises(DataError, match="data/train is not what"):
        register(project)
    relock(project)
    shutil.rmtree(project / "data" / "vocab")
    with pytest.raises(DataError, match="data/vocab is missing"):
        register(project)


def test_a_damaged_lock_file_is_told(project: Path) -> None:
    """A dvc.lock that is no YAML, or of another form, is an error with its remedy."""
    for text in ("stages: [", "- 1\n", "stages: {train: {outs: [3]}}\n"):
        (project / "dvc.lock").write_text(text, encoding="utf-8")
        with pytest.raises(DataError, match="damaged"):
            register(project)


def test_a_masked_models_score_has_its_own_name() -> None:
    """It has seen both sides of each token: a gate of its own judges it, in pseudo-bits; a causal model's never lets it
    pass, however low its figure, nor the other way round."""
    gates = registry.Gates(max_validation_pseudo_bits_per_byte=1, max_test_pseudo_bits_per_byte=1)
    told = registry._refusals(gates, {"validation": 2.0}, "masked")
    assert "2.0000 pseudo-bits per byte is above 1" in told[0]
    assert "measured no test pseudo-bits per byte" in told[1]
    assert registry._refusals(gates, {"validation": 0.5, "test": 0.5}, "masked") == []
    (told[0], _) = registry._refusals(gates, {"validation": 0.5, "test": 0.5}, "causal")
    assert (
        "max_validation_pseudo_bits_per_byte cannot judge a causal model: set max_validation_bits_per_byte" in told[0]
    )
    gates = registry.Gates(max_validation_bits_per_byte=9)
    (only,) = registry._refusals(gates, {"validation": 0.5}, "masked")
    assert "cannot judge a masked model" in only


def test_a_figure_of_the_other_kind_is_not_read(tmp_path: Path) -> None:
    """Of a masked model pseudo-bits alone are read, of a causal one bits alone."""
    write_json(tmp_path / "reports" / "evaluate.json", {"validation": {"bits_per_byte": 2.0}})
    assert registry._measured(tmp_path, "masked") == {}
    assert registry._measured(tmp_path, "causal") == {"validation": 2.0}


@pytest.mark.parametrize(
    "raw", [{"modle": "x"}, {"gates": {"max_loss": 3}}, {"champion_by": "train"}, {"model": "a/b"}]
)
def test_params_are_checked(raw: dict[str, object]) -> None:
    """Unknown keys, unknown gates, and names that MLflow cannot hold are refused."""
    with pytest.raises(ParamsError):
        parse("register", raw, RegisterParams)
