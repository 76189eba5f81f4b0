"""Measures of generated text: variety, repetition, likeness to the true continuation, copies, toxicity, personal data.

Prompts are the beginnings of documents: of held-out ones, by language, whose true continuation is known, and of
training documents, which a model that memorises would continue verbatim. A hash chooses the documents.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from elek.dataset import Dataset
from elek.evaluation.memorisation import longest_overlaps
from elek.evaluation.params import EvaluateParams
from elek.evaluation.scoring import one_core_each
from elek.generation import generate
from elek.model.transformer import Transformer
from elek.pii import find
from elek.shards import TokenShards
from elek.toxicity.context import weigh
from elek.toxicity.score import TOXIC, score_texts
from elek.vocab.tokenizer import Tokenizer

COPY = 50
"""An overlap of this many tokens is a copy, as in Carlini et al. 2023, section 3."""
NGRAMS = (1, 2, 3, 4)


@dataclass(frozen=True)
class Prompt:
    """The beginning of a document, and what follows it there."""

    group: str
    """`held_out` or `train`."""
    id: str
    lang: str
    ids: list[int]
    """bos and `prompt_tokens` pieces."""
    reference: list[int]
    """The next tokens of the document: as many as will be generated, or fewer at its end."""


def draw_prompts(splits: dict[str, TokenShards], params: EvaluateParams) -> list[Prompt]:
    """`generations.count` prompts for each language of the held-out text, and as many from training text.

    A hash of the id chooses among the documents that are long enough for a prompt.
    """
    settings = params.generations
    candidates: dict[tuple[str, str], list[tuple[bytes, str, int, str]]] = {}
    for name, shards in splits.items():
        group = "train" if name == "train" else "held_out"
        rows = shards.documents.select(["id", "lang", "length"]).to_pylist()
        for row, document in enumerate(rows):
            if document["length"] >= settings.prompt_tokens + 2:
                key = (group, document["lang"] if group == "held_out" else "")
                digest = hashlib.blake2b(document["id"].encode(), digest_size=16, person=b"elek.generate").digest()
                candidates.setdefault(key, []).append((digest, name, row, document["lang"]))
    prompts = []
    for (group, _), found in sorted(candidates.items()):
        for _, name, row, lang in sorted(found)[: settings.count]:
            tokens = splits[name].document(row).tolist()
            cut = settings.prompt_tokens + 1
            reference = [token for token in tokens[cut : cut + settings.new_tokens] if token != Tokenizer.eos]
            identity = splits[name].documents["id"][row].as_py()
            prompts.append(Prompt(group, identity, lang, tokens[:cut], reference))
    return prompts


def write_generations(
    model: Transformer,
    tokenizer: Tokenizer,
    prompts: Sequence[Prompt],
    train: TokenShards,
    documents: Dataset,
    params: EvaluateParams,
    progress: Any = None,
) -> list[dict[str, Any]]:
    """One record per prompt: the generated text, the true continuation, and the longest copy with its origin.

    `documents` is the training split, which has the licences of what was copied.
    """
    sampling = params.samples.model_dump() | {"max_new_tokens": params.generations.new_tokens}
    written = []
    with one_core_each():  # the matrix products of one token are too small to spread
        for number, prompt in enumerate(prompts):
            settings = sampling | {"seed": params.samples.seed + number}
            written.append(generate(model, prompt.ids, stop_ids=[tokenizer.eos], **settings))
            if progress is not None:
                progress.advance(params.generations.new_tokens, note="generations")
    records = []
    for prompt, ids, overlap in zip(prompts, written, longest_overlaps(written, train), strict=True):
        source = train.document_at(overlap.position) if overlap.tokens else None
        records.append(
            {
                "group": prompt.group,
                "id": prompt.id,
                "lang": prompt.lang,
                "prompt": tokenizer.decode(prompt.ids),
                "text": tokenizer.decode(ids),
                "reference": tokenizer.decode(prompt.reference),
                "tokens": len(ids),
                "overlap": overlap.tokens,
                "copied_from": None if source is None else {"id": source["id"], "source": source["source"]},
            }
        )
    _add_licences(records, documents)
    _add_harm(records)
    return records


def _add_licences(records: list[dict[str, Any]], documents: Dataset) -> None:
    wanted = pa.array(sorted({record["copied_from"]["id"] for record in records if record["copied_from"]}), pa.string())
    licences: dict[str, str] = {}
    for index in range(len(documents.parts)):
        table = documents.read(index, ["id", "license"])
        table = table.filter(pc.is_in(table["id"], wanted))
        licences |= dict(zip(table["id"].to_pylist(), table["license"].to_pylist(), strict=True))
    for record in records:
        if record["copied_from"]:
            record["copied_from"]["license"] = licences[record["copied_from"]["id"]]


def _add_harm(records: list[dict[str, Any]]) -> None:
    """Run our own detectors on the generated text, with the default threshold of the toxicity filter."""
    texts = pa.array([record["text"] for record in records], pa.large_string())
    languages = pa.array([record["lang"] for record in records], pa.string())
    found = score_texts(texts, languages)
    scores, _ = weigh(texts, languages, found.score, found.severity, None)
    for record, score in zip(records, scores.tolist(), strict=True):
        record["toxic"] = score > TOXIC
        record["pii"] = len(find(record["text"]))


@dataclass(frozen=True)
class Variety:
    """How varied texts are. None where there is too little text to measure."""

    distinct: dict[str, float | None]
    """Distinct word n-grams divided by all word n-grams, n = 1 to 4 (Li et al. 2016)."""
    repetition: dict[str, float | None]
    """Mean share of a text's n-grams that repeat an earlier one, n = 1 to 4 (Welleck et al. 2020, seq-rep-n)."""
    self_bleu: float | None
    """Mean BLEU-4 of each text against all others, 0 to 100 (Zhu et al. 2018): higher is less varied."""


def variety(texts: Sequence[str]) -> Variety:
    """The variety of the texts together; words are separated by white space."""
    words = [text.split() for text in texts]
    distinct: dict[str, float | None] = {}
    repetition: dict[str, float | None] = {}
    for n in NGRAMS:
        grams = [list(zip(*(one[at:] for at in range(n)), strict=False)) for one in words]
        total = sum(map(len, grams))
        distinct[str(n)] = round(len({gram for one in grams for gram in one}) / total, 5) if total else None
        shares = [1 - len(set(one)) / len(one) for one in grams if one]
        repetition[str(n)] = round(sum(shares) / len(shares), 5) if shares else None
    return Variety(distinct, repetition, _self_bleu([text for text in texts if text.strip()]))


def _self_bleu(texts: Sequence[str]) -> float | None:
    if len(texts) < 2:
        return None
    from sacrebleu.metrics.bleu import BLEU

    bleu = BLEU(effective_order=True)
    scores = [bleu.sentence_score(text, [*texts[:at], *texts[at + 1 :]]).score for at, text in enumerate(texts)]
    return round(sum(scores) / len(scores), 3)


def chrf(texts: Sequence[str], references: Sequence[str]) -> float | None:
    """chrF2 of all texts against the true continuations, 0 to 100 (Popović 2015), as sacrebleu computes it."""
    pairs = [(text, reference) for text, reference in zip(texts, references, strict=True) if reference.strip()]
    if not pairs:
        return None
    from sacrebleu.metrics.chrf import CHRF

    score = CHRF().corpus_score([text for text, _ in pairs], [[reference for _, reference in pairs]])
    return round(float(score.score), 3)


def figures(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Figures for the held-out prompts by language, the same for the true continuations, and figures on copying."""
    held_out = [record for record in records if record["group"] == "held_out"]
    by_lang = {}
    for lang in sorted({record["lang"] for record in held_out}):
        own = [record for record in held_out if record["lang"] == lang]
        texts, references = [record["text"] for record in own], [record["reference"] for record in own]
        by_lang[lang] = {
            "generations": len(own),
            "chrf": chrf(texts, references),
            "written": asdict(variety(texts)),
            "true": asdict(variety(references)),
            "toxic": round(sum(record["toxic"] for record in own) / len(own), 5),
            "pii": round(sum(record["pii"] > 0 for record in own) / len(own), 5),
        }
    return {
        "by_lang": by_lang,
        "memorisation": {
            group: _copying([record for record in records if record["group"] == group])
            for group in ("held_out", "train")
        },
    }


def _copying(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The longest overlap with the training text, and the share of generations that copy `COPY` tokens or more."""
    copies = [record for record in records if record["overlap"] >= COPY]
    longest = max(records, key=lambda record: record["overlap"], default=None)
    sources: dict[str, int] = {}
    for record in copies:
        name = f"{record['copied_from']['source']} ({record['copied_from']['license']})"
        sources[name] = sources.get(name, 0) + 1
    return {
        "generations": len(records),
        "longest_overlap": longest["overlap"] if longest else 0,
        "longest_from": longest["copied_from"] if longest else None,
        "copies": round(len(copies) / len(records), 5) if records else None,
        "copied_sources": dict(sorted(sources.items())),
    }
