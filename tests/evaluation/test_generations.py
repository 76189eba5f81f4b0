"""Figures of generations."""

from __future__ import annotations

from pathlib import Path

import pytest

from elek.dataset import Dataset
from elek.evaluation.generations import chrf, draw_prompts, figures, variety, write_generations
from elek.evaluation.params import EvaluateParams
from elek.shards import TokenShards, write_shard, write_shards_manifest
from tests.evaluation.test_scoring import model
from tests.vocabulary import prose, tokenizer, write_dataset


def test_variety_by_hand() -> None:
    """Distinct n-grams over all texts, repeated ones within each, and texts that are each other."""
    told = variety(["a b a b", "a c"])
    assert told.distinct == {"1": 0.5, "2": 0.75, "3": 1.0, "4": 1.0}
    assert told.repetition == {"1": 0.25, "2": pytest.approx(1 / 6, abs=1e-5), "3": 0.0, "4": 0.0}
    same = variety(["one two three four five"] * 3)
    assert same.self_bleu == pytest.approx(100)
    none = variety(["", "x"])
    assert (none.distinct["2"], none.self_bleu) == (None, None)


def test_chrf_is_that_of_equal_and_of_foreign_texts() -> None:
    """100 for the truth itself, 0 where no character agrees, nothing without a truth."""
    assert chrf(["köyün çocukları"], ["köyün çocukları"]) == 100
    assert chrf(["abc"], ["xyz"]) == 0
    assert chrf(["abc"], [""]) is None


@pytest.fixture
def splits(tmp_path: Path) -> dict[str, TokenShards]:
    """Training text and held-out text; the first held-out document stands in the training text as well."""
    tables = {"train": [prose("en", 6), prose("tr", 6)], "validation": [prose("en", 3)], "test": [prose("tr", 3, 50)]}
    found = {}
    for name, parts in tables.items():
        folder = tmp_path / name
        folder.mkdir()
        written = [write_shard(folder, at, t, tokenizer().encode_documents(t["text"])) for at, t in enumerate(parts)]
        write_shards_manifest(folder, written, tokenizer(), parent="0" * 64)
        found[name] = TokenShards(folder)
    write_dataset(tmp_path / "documents", tables["train"])
    return found


def test_prompts_are_drawn_by_language_and_from_training_text(splits: dict[str, TokenShards]) -> None:
    """So many of each, the same every time, each with what truly follows."""
    params = EvaluateParams.model_validate({"generations": {"count": 2, "prompt_tokens": 5, "new_tokens": 9}})
    prompts = draw_prompts(splits, params)
    assert [(prompt.group, prompt.lang) for prompt in prompts if prompt.group == "held_out"] == [
        ("held_out", "en"), ("held_out", "en"), ("held_out", "tr"), ("held_out", "tr"),
    ]  # fmt: skip
    assert sum(prompt.group == "train" for prompt in prompts) == 2
    for prompt in prompts:
        shards = next(s for s in splits.values() if prompt.id in s.documents["id"].to_pylist())
        row = shards.documents["id"].to_pylist().index(prompt.id)
        assert [*prompt.ids, *prompt.reference] == shards.document(row).tolist()[:15]
        assert (len(prompt.ids), len(prompt.reference)) == (6, 9)
    assert draw_prompts(splits, params) == prompts


def test_a_copy_is_told_with_source_and_licence(
    splits: dict[str, TokenShards], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that says its training text by heart is caught, and what it copied is named."""
    params = EvaluateParams.model_validate({"generations": {"count": 2, "prompt_tokens": 5, "new_tokens": 60}})
    prompts = draw_prompts(splits, params)
    by_heart = {tuple(prompt.ids): prompt.reference for prompt in prompts}
    monkeypatch.setattr("elek.evaluation.generations.generate", lambda model, ids, **_: by_heart[tuple(ids)])
    train = Dataset(tmp_path / "documents")
    records = write_generations(model(), tokenizer(), prompts, splits["train"], train, params)
    told = figures(records)
    assert told["memorisation"]["train"]["copies"] == 1
    assert told["memorisation"]["train"]["longest_overlap"] == 60
    assert all(name.endswith("(CC0-1.0)") for name in told["memorisation"]["train"]["copied_sources"])
    assert told["by_lang"]["en"]["chrf"] == 100
    assert told["by_lang"]["en"]["written"] == told["by_lang"]["en"]["true"]
    english = next(record for record in records if record["lang"] == "en" and record["group"] == "held_out")
    assert english["copied_from"]["source"] == "book-en"


def test_harm_is_counted(splits: dict[str, TokenShards], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Generations with an insult and with an e-mail address show in the rates."""
    params = EvaluateParams.model_validate({"generations": {"count": 1, "prompt_tokens": 5, "new_tokens": 60}})
    prompts = draw_prompts(splits, params)
    ids = tokenizer().encode("You fucking idiot, write to ali.veli@posta.com.tr")
    monkeypatch.setattr("elek.evaluation.generations.generate", lambda *_, **__: ids)
    train = Dataset(tmp_path / "documents")
    told = figures(write_generations(model(), tokenizer(), prompts, splits["train"], train, params))
    assert (told["by_lang"]["en"]["toxic"], told["by_lang"]["en"]["pii"]) == (1, 1)
    assert told["memorisation"]["held_out"]["copies"] == 0
