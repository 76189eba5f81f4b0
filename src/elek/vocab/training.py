"""Train a SentencePiece vocabulary on a dataset, streamed, the same text giving the same bytes.

The text is read line by line. A newline and a tab become their byte pieces, one token each, which need not be declared;
runs of spaces become pieces. The text is not normalised, because `clean` has done that and tokens must restore the
text. No space is put before a text, so the first word of a document gets the same pieces as the first word of a line.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow.compute as pc
import sentencepiece

from elek.dataset import Dataset
from elek.errors import DataError, ParamsError
from elek.vocab.params import SPECIAL_PIECES, VocabParams
from elek.vocab.tokenizer import Tokenizer

MAX_LINE_BYTES = 4000
"""Lines are cut at this length, because SentencePiece silently drops longer ones (its limit is 4192)."""

# SentencePiece skips a whole line for one of these characters: its own marks for space, unknown and word
# boundary (tab), and NUL. They get no piece anyway, so the line is broken there. It is broken, too, within the
# name of a control piece, which might be learned as a second piece of that name.
_MARKS = "[\u2581\u2585\t\0]+|(?<=<)(?=0x[0-9A-F]{2}>)"


def _breaks(controls: Sequence[str]) -> re.Pattern[str]:
    names = (f"(?<={re.escape(name[0])})(?={re.escape(name[1:])})" for name in (*SPECIAL_PIECES, *controls))
    return re.compile("|".join([_MARKS, *names]))


@dataclass
class Corpus:
    """The lines of a dataset, and counts of them after they have been read."""

    dataset: Dataset
    max_bytes: float
    controls: Sequence[str] = ()
    documents: int = 0
    sentences: int = 0
    bytes: int = 0
    cut: int = 0
    """Number of lines that were longer than MAX_LINE_BYTES and were cut."""
    error: BaseException | None = field(default=None, repr=False)
    """The error that stopped the reading, as SentencePiece only reports that there was one."""

    def __iter__(self) -> Iterator[str]:
        try:
            breaks = _breaks(self.controls)
            share = min(1.0, self.max_bytes / max(1, self._total_bytes()))
            for index in range(len(self.dataset.parts)):
                table = self.dataset.read(index, ["id", "text"])
                for name, text in zip(table["id"].to_pylist(), table["text"].to_pylist(), strict=True):
                    if share == 1.0 or _uniform(name) < share:
                        self.documents += 1
                        yield from self._lines(text, breaks)
        except (Exception, KeyboardInterrupt) as error:
            self.error = error
            raise

    def _total_bytes(self) -> int:
        parts = range(len(self.dataset.parts))
        return sum(pc.sum(pc.binary_length(self.dataset.read(part, ["text"])["text"])).as_py() or 0 for part in parts)

    def _lines(self, text: str, breaks: re.Pattern[str]) -> Iterator[str]:
        for line in text.split("\n"):
            pieces = list(_cut(line)) if len(line) * 4 > MAX_LINE_BYTES else [line]
            self.cut += len(pieces) > 1
            for part in (part for piece in pieces for part in breaks.split(piece) if part):
                self.sentences += 1
                self.bytes += len(part.encode())
                yield part


def _cut(line: str) -> Iterator[str]:
    """Pieces of at most MAX_LINE_BYTES UTF-8 bytes, cut before a space where there is one."""
    raw = line.encode()
    start = 0
    while len(raw) - start > MAX_LINE_BYTES:
        end = raw.rfind(b" ", start + 1, start + MAX_LINE_BYTES)
        if end < 0:
            end = start + MAX_LINE_BYTES
            while raw[end] & 0xC0 == 0x80:  # not within a character
                end -= 1
        yield raw[start:end].decode()
        start = end
    yield raw[start:].decode()


def _uniform(name: str) -> float:
    """A number in [0, 1) from a hash of the document's id, the same on every machine."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8, person=b"elek.vocab").digest(), "big") / 2**64


def train_vocabulary(dataset: Dataset, params: VocabParams) -> tuple[bytes, Corpus]:
    """A SentencePiece model and what it was learned from.

    Raises DataError where there is no text, ParamsError where it has too little variety for `vocab.size` pieces
    or more common characters than that.
    """
    corpus = Corpus(dataset, params.max_megabytes * 1e6, params.control)
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(corpus),
            model_writer=model,
            model_type=params.kind,
            vocab_size=params.size,
            character_coverage=params.character_coverage,
            split_digits=params.split_digits,
            byte_fallback=True,
            allow_whitespace_only_pieces=True,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            add_dummy_prefix=False,
            max_sentence_length=4192,
            unk_id=0,
            bos_id=1,
            eos_id=2,
            pad_id=3,
            control_symbols=[SPECIAL_PIECES[4], *params.control],  # these take the next free ids,
            user_defined_symbols=params.user_defined,  # and then these
            num_threads=1,  # their number is written into the model
            minloglevel=2,
        )
    except (RuntimeError, OSError) as error:
        if corpus.error is not None:
            raise corpus.error from None
        raise _explain(str(error), corpus, params) from None
    return model.getvalue(), corpus


def _explain(message: str, corpus: Corpus, params: VocabParams) -> Exception:
    if not corpus.sentences:
        return DataError(
            "there is no training text to learn a vocabulary from",
            where=str(corpus.dataset.folder),
            fix="look at reports/split.json for what dropped the documents",
        )
    if largest := re.search(r"set it to a value <= (\d+)", message):
        return ParamsError(
            f"the text is too small for a vocabulary of {params.size}: {largest[1]} is the largest possible",
            where=f"vocab.size; {corpus.documents} documents, {corpus.bytes} bytes",
            fix=f"set vocab.size to {largest[1]} or less, or add text",
        )
    if smallest := re.search(r"(?:required_chars\. \d+ vs |meta pieces \()(\d+)", message):
        return ParamsError(
            f"a vocabulary of {params.size} has no room for the special pieces, the bytes and the common characters",
            where=f"vocab.size; SentencePiece says: {message.strip()}",
            fix=f"set vocab.size above {smallest[1]}, or lower vocab.character_coverage",
        )
    return DataError(f"SentencePiece failed: {message}", where=str(corpus.dataset.folder))


def vocabulary_table(tokenizer: Tokenizer) -> str:
    """The text of `tokenizer.vocab`: a piece and its score on each line, in the order of the ids."""
    return "".join(f"{tokenizer.piece(index)}\t{tokenizer.score(index):g}\n" for index in range(tokenizer.size))
