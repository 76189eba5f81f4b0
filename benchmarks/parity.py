"""Whether our rules decide as datatrove 0.10.1 does: every document, kept or dropped, and for the same reason.

    python -m benchmarks.parity corpus.jsonl.zst [--limit 5000] [--words whitespace unicode]

Takes JSON lines (also .zst), Parquet or a folder of parts, with a column `text` and, where there is one, `lang`. Both
sides have the same words and the same thresholds, those for Turkish where `lang` is `tr`; C4 in datatrove is given our
count of sentences. A line of the table is a rule set under one kind of words: documents compared, those that one side
keeps and the other drops, those that are dropped for another reason; of C4 also the documents whose remaining lines
differ, white space at their ends aside. The exit code is 1 where anything differs. Needs datatrove, which is installed
for the tests.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from benchmarks import corpora
from benchmarks.oracle import SETS, judge
from elek.filtering import Batch, FilterParams, WordKind, decide, discover
from elek.removal import cut


@dataclass
class Comparison:
    """What came of comparing one rule set. The lists hold the numbers of the documents that differ."""

    documents: int
    seconds: float
    """Processor time that datatrove took."""
    dropped: int = 0
    decisions: list[int] = field(default_factory=list)
    reasons: list[int] = field(default_factory=list)
    texts: list[int] = field(default_factory=list)

    @property
    def different(self) -> list[int]:
        return [*self.decisions, *self.reasons, *self.texts]


def ours(
    texts: Sequence[str], langs: Sequence[str], kind: WordKind, sets: Sequence[str] = SETS
) -> tuple[dict[str, list[str | None]], list[str]]:
    """Our reason for each document (None: kept), by rule set, and what C4 leaves of each; by the way that `annotate`
    and `filter` go."""
    names, lang = pa.array([str(row) for row in range(len(texts))]), pa.array(langs, pa.string())
    column = pa.array(texts, pa.large_string())
    batch = Batch(names, column, lang, lang, names, names, words=kind)
    found: dict[str, list[str | None]] = {}
    left: list[str] = []
    for name in sets:
        measured = {f"{name}.{signal}": values for signal, values in discover()[name].measure(batch).items()}
        table = decide(pa.table({"id": names, "language.rules": lang, **measured}), FilterParams({name: None}))
        found[name] = [row[0]["rule"] if row else None for row in table["failures"].to_pylist()]
        if name == "c4":
            left = cut(column, table["remove"].combine_chunks()).to_pylist()
    return found, left


def compare(
    texts: Sequence[str], langs: Sequence[str], kind: WordKind, sets: Sequence[str] = SETS
) -> dict[str, Comparison]:
    """Every document under every rule set, on both sides."""
    (mine, my_text), theirs = ours(texts, langs, kind, sets), judge(texts, langs, kind, sets)
    result = {}
    for name in sets:
        one = Comparison(documents=len(texts), seconds=theirs.seconds[name])
        for row, (a, b) in enumerate(zip(mine[name], theirs.reasons[name], strict=True)):
            one.dropped += b is not None
            if (a is None) != (b is None):
                one.decisions.append(row)
            elif a != b:
                one.reasons.append(row)
            elif a is None and name == "c4" and _lines(my_text[row]) != _lines(theirs.left[row]):
                one.texts.append(row)
        result[name] = one
    return result


def _lines(text: str) -> list[str]:
    """Without the white space at the ends of lines, which C4 in datatrove strips and we leave, and blank lines, which
    a citation alone on its line may leave behind."""
    return [line for line in (line.strip() for line in text.splitlines()) if line]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--limit", type=int, help="documents to take")
    parser.add_argument("--words", choices=["whitespace", "unicode"], nargs="+", default=["whitespace", "unicode"])
    arguments = parser.parse_args()
    table = corpora.read(arguments.corpus, arguments.limit)
    texts, langs = table["text"].to_pylist(), table["lang"].to_pylist()
    size = sum(len(text.encode()) for text in texts) / 1e6
    print(f"{len(texts):,} documents, {size:.1f} MB, {langs.count('tr'):,} of them under the Turkish thresholds\n")
    print(f"{'words':<11}{'rule set':<19}{'documents':>10}{'dropped':>9}{'decisions':>11}{'reasons':>9}{'text':>6}")
    print(f"{'':<11}{'':<19}{'compared':>10}{'':>9}{'differ':>11}{'differ':>9}{'':>6}")
    same = True
    for kind in arguments.words:
        for name, found in compare(texts, langs, kind).items():
            text = f"{len(found.texts):>6}" if name == "c4" else f"{'–':>6}"
            print(
                f"{kind:<11}{name:<19}{found.documents:>10,}{found.dropped:>9,}"
                f"{len(found.decisions):>11}{len(found.reasons):>9}{text}"
            )
            for row in found.different[:3]:
                print(f"{'':<11}document {row} ({langs[row]}): {texts[row][:80]!r}")
            same = same and not found.different
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
