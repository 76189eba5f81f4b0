"""Prompts in, text out: whole, or in chunks while it is generated."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from elek.errors import ParamsError
from elek.generation.beams import Beams, beam_search, prompt_room
from elek.generation.decoding import Token, check_length, decode
from elek.generation.sampling import Sampling
from elek.model.files import load_model
from elek.model.transformer import Transformer
from elek.vocab.tokenizer import SPACE_MARK, Tokenizer


@dataclass(frozen=True)
class Settings:
    """How a completion is generated. Raises ParamsError for invalid settings."""

    max_new_tokens: int = 64
    """Upper limit; 0 gives an empty text."""
    sampling: Sampling = field(default_factory=Sampling)
    beams: Beams | None = None
    """Beam search instead of sampling; it uses only the repetition penalty of `sampling`."""
    stop: tuple[str, ...] = ()
    """Strings that end the text and are not part of it. They are searched in the continuation, not in the prompt."""
    samples: int = 1
    """Texts per prompt: the first uses `seed`, the next `seed + 1`, …. With beam search, the best ones."""
    seed: int = 0
    top: int | None = None
    """Also return the log-probability of each token and of this many candidates."""

    def __post_init__(self) -> None:
        check_length(self.max_new_tokens)
        if self.samples < 1:
            raise ParamsError(f"{self.samples} samples", where="generation", fix="ask for at least 1")
        if self.beams and self.samples > self.beams.width:
            raise ParamsError(
                f"{self.samples} texts of a search with {self.beams.width} beams",
                where="generation",
                fix=f"ask for at most {self.beams.width}, or for more beams",
            )
        if self.beams and self.top is not None:
            raise ParamsError("beam search ranks whole texts and gives no candidates per token", where="generation")
        if "" in self.stop:
            raise ParamsError("an empty stop string, which every text contains", where="generation", fix="leave it out")
        if not -(2**63) <= self.seed < 2**63 - self.samples:
            raise ParamsError(f"seed is {self.seed}", where="generation", fix="give a number of 63 bits")


@dataclass(frozen=True, slots=True)
class Chunk:
    """The next characters of one text, always whole ones, perhaps none."""

    index: int
    """Which text: sample s of prompt p is `p · samples + s`."""
    text: str
    tokens: tuple[Token, ...] = ()
    """The tokens since the last chunk. Their characters may come with a later chunk."""
    finish: str | None = None
    """In the last chunk `stop` (the model or a stop string ended the text) or `length`."""


@dataclass(frozen=True)
class Completion:
    """A continuation: its text, its tokens, why it ended, and its prompt."""

    prompt: str
    text: str
    tokens: tuple[Token, ...]
    finish: str
    prompt_tokens: int
    unseen: int
    """Number of tokens at the beginning of the prompt that did not fit the context."""


class TextModel:
    """A model with its tokenizer. Raises DataError where they do not belong together."""

    def __init__(self, model: Transformer, tokenizer: Tokenizer) -> None:
        tokenizer.require(model.config.vocab_size, "generation")
        self.model, self.tokenizer = model.eval(), tokenizer
        self._bytes = [_bytes_of(tokenizer, index) for index in range(tokenizer.size)]

    @classmethod
    def load(cls, model: Path, vocab: Path) -> TextModel:
        """Load both from the folders that `train` and `vocab` write."""
        return cls(load_model(model), Tokenizer.load(vocab))

    def encode(self, prompt: str) -> list[int]:
        """bos and the ids of the prompt. The name of a special token in it is treated as ordinary text.

        Raises DataError for a lone surrogate.
        """
        return [Tokenizer.bos, *self.tokenizer.encode(prompt)]

    def piece(self, index: int) -> str:
        """A token as text for display: incomplete bytes as `\\xNN`, a control piece by its name."""
        return self._bytes[index].decode(errors="backslashreplace") or self.tokenizer.piece(index)

    def bytes_of(self, index: int) -> bytes:
        """The UTF-8 bytes of a token; empty for a control piece."""
        return self._bytes[index]

    def complete(self, prompts: Sequence[str], settings: Settings) -> list[Completion]:
        """`settings.samples` continuations of each prompt, in order."""
        chunks: dict[int, list[Chunk]] = {}
        for chunk in self.stream(prompts, settings):
            chunks.setdefault(chunk.index, []).append(chunk)
        found = []
        for index, parts in sorted(chunks.items()):
            prompt = prompts[index // settings.samples]
            text = "".join(chunk.text for chunk in parts)
            tokens = tuple(token for chunk in parts for token in chunk.tokens)
            size = len(self.encode(prompt))
            unseen = self.unseen(size, settings)
            found.append(Completion(prompt, text, tokens, parts[-1].finish or "length", size, unseen))
        return found

    def unseen(self, prompt_tokens: int, settings: Settings) -> int:
        """How many tokens at the beginning of a prompt of `prompt_tokens` do not fit the context.

        Raises ParamsError where a beam search has no room for any.
        """
        context = self.model.config.context
        return max(0, prompt_tokens - (prompt_room(context, settings.max_new_tokens) if settings.beams else context))

    def stream(
        self, prompts: Sequence[str], settings: Settings, check: Callable[[], None] = lambda: None
    ) -> Iterator[Chunk]:
        """Chunks of all texts, in order within each text; the last chunk of each says why it ended.

        `check` is called before each token and may raise to end the work. A beam search yields each text as one chunk.
        """
        ids = [self.encode(prompt) for prompt in prompts]
        return self._search(ids, settings, check) if settings.beams else self._sample(ids, settings, check)

    def _sample(self, prompts: list[list[int]], settings: Settings, check: Callable[[], None]) -> Iterator[Chunk]:
        rows = [prompt for prompt in prompts for _ in range(settings.samples)]
        seeds = [settings.seed + sample for _ in prompts for sample in range(settings.samples)]
        writers = [_Writer(self._bytes, settings.stop) for _ in rows]
        counts, ended = [0] * len(rows), set[int]()
        for token in decode(
            self.model,
            rows,
            settings.max_new_tokens,
            settings.sampling,
            seeds=seeds,
            stop_ids=[Tokenizer.eos],
            top=settings.top,
            ended=ended,
        ):
            counts[token.row] += 1
            text, stopped = writers[token.row].write(token.id)
            if stopped:
                ended.add(token.row)
            yield Chunk(token.row, text, (token,), "stop" if stopped else None)
            check()
        for row in (row for row in range(len(rows)) if row not in ended):
            text, stopped = writers[row].close()
            whole = counts[row] < settings.max_new_tokens or stopped
            yield Chunk(row, text, finish="stop" if whole else "length")

    def _search(self, prompts: list[list[int]], settings: Settings, check: Callable[[], None]) -> Iterator[Chunk]:
        assert settings.beams is not None  # noqa: S101 - for the type checker
        for number, prompt in enumerate(prompts):
            found = beam_search(
                self.model,
                prompt,
                settings.max_new_tokens,
                settings.beams,
                stop_ids=[Tokenizer.eos],
                repetition_penalty=settings.sampling.repetition_penalty,
                check=check,
            )
            for sample, hypothesis in enumerate(found[: settings.samples]):
                row = number * settings.samples + sample
                writer, text, stopped, read = _Writer(self._bytes, settings.stop), "", False, 0
                for token in hypothesis.ids:
                    more, stopped = writer.write(token)
                    text, read = text + more, read + 1
                    if stopped:
                        break
                else:
                    more, stopped = writer.close()
                    text += more
                tokens = tuple(Token(row, token) for token in hypothesis.ids[:read])
                yield Chunk(row, text, tokens, "stop" if stopped or hypothesis.ended else "length")


class _Writer:
    """Turns ids into text, holding back incomplete characters and what may be the beginning of a stop string."""

    def __init__(self, pieces: Sequence[bytes], stop: Sequence[str]) -> None:
        self._pieces, self._stops = pieces, StopStrings(stop)
        self._decoder = characters()

    def write(self, token: int) -> tuple[str, bool]:
        return self._stops.push(self._decoder.decode(self._pieces[token]))

    def close(self) -> tuple[str, bool]:
        text, stopped = self._stops.push(self._decoder.decode(b"", final=True))
        return (text, True) if stopped else (text + self._stops.rest, False)


class StopStrings:
    """Cuts a text that arrives in pieces at the first stop string, however the pieces divide it."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops, self.rest = tuple(stops), ""
        """`rest`: text that is held back because a stop string may begin in it."""

    def push(self, text: str) -> tuple[str, bool]:
        """The next characters that are final, and whether the text ends after them."""
        if not self._stops:
            return text, False
        pending = self.rest + text
        found = [(at + len(stop), at) for stop in self._stops if (at := pending.find(stop)) >= 0]
        if found:  # the one that ends first, and of those the longest
            return pending[: min(found)[1]], True
        longest = min(max(map(len, self._stops)) - 1, len(pending))
        held = next((n for n in range(longest, 0, -1) if self._begins(pending[-n:])), 0)
        self.rest = pending[len(pending) - held :]
        return pending[: len(pending) - held], False

    def _begins(self, text: str) -> bool:
        return any(stop.startswith(text) for stop in self._stops)


def _bytes_of(tokenizer: Tokenizer, index: int) -> bytes:
    """The UTF-8 bytes of an id; empty for a control piece."""
    if tokenizer.piece_bytes[index] == 0:
        return b""
    piece = tokenizer.piece(index)
    return bytes([int(piece[3:5], 16)]) if tokenizer.is_byte(index) else piece.replace(SPACE_MARK, " ").encode()


def _replace_each(error: UnicodeError) -> tuple[str, int]:
    """Decode each invalid byte as one U+FFFD, as SentencePiece does."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\ufffd" * (error.end - error.start), error.end


codecs.register_error("elek-replace-each", _replace_each)


def characters() -> codecs.IncrementalDecoder:
    """An incremental decoder of UTF-8 that gives the same text as `Tokenizer.decode`."""
    return codecs.getincrementaldecoder("utf-8")("elek-replace-each")
