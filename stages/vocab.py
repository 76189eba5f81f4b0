"""`vocab`: train → SentencePiece model. The training split alone is seen."""

from __future__ import annotations

from elek.dataset import Dataset, write_text
from elek.progress import Progress
from elek.vocab.params import VocabParams
from elek.vocab.tokenizer import Tokenizer
from elek.vocab.training import train_vocabulary, vocabulary_table
from stages._shell import Stage


def main() -> None:
    with Stage("vocab", VocabParams) as stage:
        dataset = Dataset(stage.data("split") / "train")
        with Progress("vocab", 1, "vocabulary") as progress:
            model, corpus = train_vocabulary(dataset, stage.params)
            progress.advance(note=f"of {corpus.bytes / 1e6:.1f} MB")
        tokenizer = Tokenizer(model)
        (stage.out / "tokenizer.model").write_bytes(model)
        write_text(stage.out / "tokenizer.vocab", vocabulary_table(tokenizer))
        stage.metrics = {
            "size": tokenizer.size,
            "kind": tokenizer.kind,
            "documents": corpus.documents,
            "sentences": corpus.sentences,
            "bytes": corpus.bytes,
            "cut_lines": corpus.cut,
        }
        stage.summary = [
            ("vocabulary", f"{tokenizer.size:,} pieces, {tokenizer.kind}"),
            ("learned from", f"{corpus.documents:,} documents, {corpus.bytes / 1e6:.1f} MB"),
        ]


if __name__ == "__main__":
    main()
