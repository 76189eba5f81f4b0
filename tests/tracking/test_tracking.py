"""What is logged to MLflow, and that it can be loaded and used from there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.errors import DataError, ElekError
from elek.tracking.figures import Point, flatten, points, report_metrics
from elek.tracking.registry import register
from elek.tracking.store import open_store
from tests.registered import make_trained_project

GREEDY = {"max_new_tokens": 5, "temperature": 0.0}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose model is registered."""
    folder = make_trained_project(tmp_path_factory.mktemp("tracked"))
    register(folder, flow_run_id="flow-1")
    return folder


def test_run_holds_params_metrics_curves_and_artifacts(project: Path) -> None:
    """A run has the flattened params, every figure of the reports, the curves with their steps, the files, the tags."""
    from mlflow import MlflowClient

    with open_store(project, "elek"):
        client = MlflowClient()
        (run,) = client.search_runs([client.get_experiment_by_name("elek").experiment_id])
        assert run.data.params["train.seed"] == "1"
        assert run.data.metrics["evaluate.validation.by_lang.en.bits_per_byte"] == 2.0
        assert run.data.tags["prefect_flow_run_id"] == "flow-1"
        assert run.data.tags["git_dirty"] == "false"
        assert run.data.tags["dvc.data/train"] == run.data.tags["dvc_md5"]
        curve = [
            (point.step, point.value) for point in client.get_metric_history(run.info.run_id, "training/train_loss")
        ]
        assert curve == [(1, 5.5), (2, 5.25)]
        assert [point.step for point in client.get_metric_history(run.info.run_id, "training/validation_loss")] == [2]
        names = {item.path for item in client.list_artifacts(run.info.run_id)}
        assert {"pipeline", "reports"} <= names


def test_the_champion_loads_and_writes(project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`models:/elek@champion` is loaded from anywhere by MLflow alone, and continues prompts, the same every time."""
    import mlflow

    monkeypatch.chdir(tmp_path)
    with open_store(project, "elek"):
        model = mlflow.pyfunc.load_model("models:/elek@champion")
    first = model.predict({"prompt": ["Günaydın", "The"]}, params=GREEDY)
    assert [text[: len(prompt)] for text, prompt in zip(first, ["Günaydın", "The"], strict=True)] == ["Günaydın", "The"]
    assert first == model.predict({"prompt": ["Günaydın", "The"]}, params=GREEDY)


def test_nothing_is_pickled(project: Path) -> None:
    """No file that is logged is a pickle: weights are safetensors, the model is code."""
    suffixes = {path.suffix for path in (project / "mlartifacts").rglob("*") if path.is_file()}
    assert ".safetensors" in suffixes
    assert not suffixes & {".pkl", ".pickle", ".pt", ".pth", ".bin", ".joblib", ".pyc"}


def test_a_version_is_found_by_alias_and_number(project: Path) -> None:
    """Alias and number name the same version, whose files are those that were trained; a wrong name is told with
    the nearest."""
    with open_store(project, "elek") as store:
        model, vocab = store.locate("champion")
        assert (model, vocab) == store.locate("1")
        for folder, name in ((model, "train/model.safetensors"), (vocab, "vocab/tokenizer.model")):
            assert (folder.parent / name).read_bytes() == (project / "data" / name).read_bytes()
        with pytest.raises(DataError, match="no version or alias `champoin`") as wrong:
            store.locate("champoin")
    assert "`champion`" in str(wrong.value.fix)


def test_a_half_registered_model_is_begun_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was killed before its model was logged is never taken for a whole one."""
    from mlflow import MlflowClient

    from elek.tracking import store as module

    folder = make_trained_project(tmp_path)

    def die(self: module.Store) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module.Store, "_log_model", die)
        with pytest.raises(KeyboardInterrupt):
            register(folder)
    outcome = register(folder)
    assert (outcome.state, outcome.version) == ("Registered", 1)
    with open_store(folder, "elek"):
        client = MlflowClient()
        runs = client.search_runs([client.get_experiment_by_name("elek").experiment_id])
    assert [run.info.run_id for run in runs] == [outcome.run_id]


def test_the_users_store_is_respected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLFLOW_TRACKING_URI decides where there is one, and otherwise nothing of ours stays in the environment."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "own").mkdir()
    with open_store(tmp_path / "own", "elek"):
        pass
    assert (tmp_path / "own" / "mlflow.db").is_file()
    assert "MLFLOW_TRACKING_URI" not in os.environ
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{(tmp_path / 'theirs.db').as_posix()}")
    (tmp_path / "other").mkdir()
    with open_store(tmp_path / "other", "elek"):
        pass
    assert (tmp_path / "theirs.db").is_file()
    assert not (tmp_path / "other" / "mlflow.db").exists()


def test_a_damaged_database_is_an_error_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An mlflow.db that is no database is told with its path and what to do; so is a server that does not answer."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "mlflow.db").write_text("no database" * 1000, encoding="utf-8")
    with pytest.raises(ElekError, match="MLflow") as damaged, open_store(tmp_path, "elek"):
        pass
    assert "mlflow.db" in str(damaged.value.where)
    assert "elek register" in str(damaged.value.fix)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(ElekError, match="MLflow") as silent, open_store(tmp_path, "elek"):
        pass
    assert "unset MLFLOW_TRACKING_URI" in str(silent.value.fix)


leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3), st.lists(st.integers(), max_size=2))
trees = st.recursive(leaves, lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, min_size=1, max_size=3))


@given(st.dictionaries(st.sampled_from("abcd"), trees, max_size=4))
@settings(deadline=None, max_examples=60)
def test_flatten_keeps_every_leaf(tree: dict[str, object]) -> None:
    """Each leaf is found under its dotted path, and nothing else is."""

    def walk(value: object, path: tuple[str, ...]) -> list[tuple[str, object]]:
        if isinstance(value, dict):
            return [leaf for key, child in value.items() for leaf in walk(child, (*path, key))]
        return [(".".join(path), value)]

    assert flatten(tree) == dict(walk(tree, ()))


def test_report_metrics_leave_tables_out(tmp_path: Path) -> None:
    """Counts of data stages are metrics, their tables by source and rule are not; a source's loss is one."""
    (tmp_path / "filter.json").write_text('{"in": 3, "kept": 1, "reasons": {"r": 2}, "ok": true}', encoding="utf-8")
    (tmp_path / "evaluate.json").write_text('{"test": {"by_source": {"s": {"loss": 1.5}}}}', encoding="utf-8")
    assert report_metrics(tmp_path) == {"filter.in": 3, "filter.kept": 1, "evaluate.test.by_source.s.loss": 1.5}


def test_a_masked_models_metrics_have_names_of_their_own(tmp_path: Path) -> None:
    """None that a causal run has, of likelihoods: neither of what it was evaluated by nor of its training."""
    (tmp_path / "train.json").write_text('{"steps": 2, "validation_loss_of_hidden_pieces": 2.5}', encoding="utf-8")
    split = {"pseudo_loss": 1.5, "accuracy": 0.5, "by_lang": {"tr": {"pseudo_bits_per_byte": 0.75}}}
    (tmp_path / "evaluate.json").write_text(json.dumps({"test": split}), encoding="utf-8")
    assert report_metrics(tmp_path) == {
        "train.steps": 2,
        "train.validation_loss_of_hidden_pieces": 2.5,
        "evaluate.test.pseudo_loss": 1.5,
        "evaluate.test.accuracy": 0.5,
        "evaluate.test.by_lang.tr.pseudo_bits_per_byte": 0.75,
    }


def test_metrics_of_evaluate_are_a_choice(tmp_path: Path) -> None:
    """By set and language the headlines, the baseline's bits per byte, calibration, variety and copying; what is only
    looked at (bins, runs, lengths, intervals) stays in the JSON; a figure of nothing is no metric."""
    own = {"loss": 1.5, "bits_per_byte": 2.0, "accuracy": 0.25, "loss_interval": [1.0, 2.0], "documents": 3}
    tables = {"by_lang": {"tr": own}, "by_source": {"a.b": own}, "by_length": {"below 1 kB": own}}
    curve = {"expected_error": 0.1, "bins": [{"upto": 1.0, "predictions": 4}]}
    split = {**own, **tables, "calibration": curve, "ngram_errors": {"1": 0.5}, "documents_in_split": 4}
    variety = {"distinct": {"1": 0.5, "2": 0.75}, "repetition": {"4": 0.0}, "self_bleu": None}
    report = {
        "test": {**split, "ngram": {**split, "order": 5}},
        "generations": {
            "by_lang": {"tr": {"chrf": 12.0, "toxic": 0.0, "pii": 0.0, "written": variety, "true": variety}},
            "memorisation": {"train": {"longest_overlap": 9, "copies": 0.0, "copied_sources": {"s (MIT)": 1}}},
        },
    }
    (tmp_path / "evaluate.json").write_text(json.dumps(report), encoding="utf-8")
    assert report_metrics(tmp_path) == {
        "evaluate.test.loss": 1.5,
        "evaluate.test.bits_per_byte": 2.0,
        "evaluate.test.accuracy": 0.25,
        "evaluate.test.calibration.expected_error": 0.1,
        "evaluate.test.by_lang.tr.loss": 1.5,
        "evaluate.test.by_lang.tr.bits_per_byte": 2.0,
        "evaluate.test.by_lang.tr.accuracy": 0.25,
        "evaluate.test.by_source.a.b.loss": 1.5,
        "evaluate.test.by_source.a.b.bits_per_byte": 2.0,
        "evaluate.test.ngram.bits_per_byte": 2.0,
        "evaluate.test.ngram.by_lang.tr.bits_per_byte": 2.0,
        "evaluate.generations.by_lang.tr.chrf": 12.0,
        "evaluate.generations.by_lang.tr.toxic": 0.0,
        "evaluate.generations.by_lang.tr.pii": 0.0,
        "evaluate.generations.by_lang.tr.written.distinct.2": 0.75,
        "evaluate.generations.by_lang.tr.written.repetition.4": 0.0,
        "evaluate.generations.memorisation.train.longest_overlap": 9,
        "evaluate.generations.memorisation.train.copies": 0.0,
    }


def test_points_of_a_history() -> None:
    """One for each cell that has a number, of the row's time where it has one."""
    rows = [{"step": "1", "train_loss": "5.5", "mfu": "", "time": "2.5"}, {"step": "2", "train_loss": "nan"}]
    assert list(points(rows, now=7)) == [Point("training/train_loss", 5.5, 1, 2500)]
    assert list(points([{"step": "3", "grad_norm": "1"}], now=7)) == [Point("training/grad_norm", 1.0, 3, 7)]
    assert list(points([], now=7)) == []
