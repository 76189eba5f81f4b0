"""The exported folder in lm-evaluation-harness."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from elek.export.tokenizer import export_tokenizer
from elek.export.weights import export_model
from elek.model.config import ModelConfig
from elek.model.transformer import Transformer, initialise
from elek.vocab.tokenizer import Tokenizer
from tests.project import environment
from tests.vocabulary import tokenizer

TASK = """\
task: rivers
dataset_path: json
dataset_kwargs: {data_files: {test: questions.jsonl}}
output_type: multiple_choice
test_split: test
doc_to_text: "{{question}}"
doc_to_choice: "{{choices}}"
doc_to_target: "{{answer}}"
target_delimiter: ""
metric_list: [{metric: acc}]
"""


@pytest.mark.slow
def test_a_local_task_is_answered_as_our_model_answers_it(tmp_path: Path) -> None:
    """The documented command, without a network: the accuracy is the one that our own probabilities give."""
    model = initialise(Transformer(ModelConfig(vocab_size=700, context=64, layers=1, width=32, heads=1)), seed=5).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(6)
    (tmp_path / "export").mkdir()
    export_tokenizer(tmp_path / "export", tokenizer(), model.config)
    export_model(tmp_path / "export", model)
    questions = [
        {
            "question": f"The farmer walked to {place}",
            "choices": [" the river", " an empty house", " ekmeği"],
            "answer": n,
        }
        for n, place in enumerate(("the bridge and", "his garden,", "seven wooden boxes"))
    ]
    (tmp_path / "questions.jsonl").write_text("".join(json.dumps(q) + "\n" for q in questions), encoding="utf-8")
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "rivers.yaml").write_text(TASK, encoding="utf-8")
    command = "-m lm_eval --model hf --model_args pretrained=export,dtype=float32,max_length=64 --tasks rivers"
    command += " --include_path tasks --device cpu --output_path out --log_samples"
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")}
    done = subprocess.run(
        [sys.executable, *command.split()],
        cwd=tmp_path,
        env=environment() | offline,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (result,) = (tmp_path / "out").rglob("results_*.json")
    told = json.loads(result.read_text(encoding="utf-8"))["results"]["rivers"]["acc,none"]
    right = sum(_best(model, q["question"], q["choices"]) == q["answer"] for q in questions)  # type: ignore[arg-type]
    assert told == pytest.approx(right / len(questions))


def _best(model: Transformer, question: str, choices: list[str]) -> int:
    scores = []
    for choice in choices:
        past = [Tokenizer.bos, *tokenizer().encode(question)]
        ids = [Tokenizer.bos, *tokenizer().encode(question + choice)]
        with torch.inference_mode():
            told = model(torch.tensor([ids]))[0].log_softmax(-1)
        scores.append(math.fsum(told[at - 1, ids[at]].item() for at in range(len(past), len(ids))))
    return scores.index(max(scores))
