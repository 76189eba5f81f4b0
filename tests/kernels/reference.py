"""The rules in plain Python, slow and clear: the oracle of the compiled kernels.

Written from the published description of the rules (Rae et al. 2021, A1.1) and the details that Elek's docs list:
which text is stripped, how n-grams are joined, which n-gram wins a tie, what a symbol is.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from elek.kernels.characters import SYMBOLS, TERMINALS

Measures = dict[str, float | None]


def _characters(ranges: str) -> tuple[str, ...]:
    bounds = [span.partition("-") for span in ranges.split()]
    return tuple(chr(code) for first, _, last in bounds for code in range(int(first, 16), int(last or first, 16) + 1))


SYMBOL_SET = set(_characters(SYMBOLS))
TERMINAL_SET = _characters(TERMINALS)


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "_" or unicodedata.category(character).startswith("M")


def words(text: str, unicode: bool = False) -> list[str]:
    if not unicode:
        return text.split()
    inside = [_in_word(character) for character in text]
    for index in range(1, len(text) - 1):
        if text[index] in "'’" and inside[index - 1] and inside[index + 1] and _in_word(text[index + 1]):
            inside[index] = True
    found = "".join(character if kept else " " for character, kept in zip(text, inside, strict=True))
    return [word for word in found.split(" ") if word]


def quality(text: str, stop_words: Sequence[str], unicode: bool = False) -> Measures:
    every = words(text, unicode)
    real = [word for word in every if any(character not in SYMBOL_SET for character in word)]
    lines = text.splitlines()

    def share(count: int, total: int) -> float | None:
        return count / total if total else None

    return {
        "words": len(real),
        "mean_word_length": share(sum(map(len, real)), len(real)),
        "hash_ratio": share(text.count("#"), len(every)),
        "ellipsis_ratio": share(text.count("...") + text.count("…"), len(every)),
        "bullet_lines": share(sum(line.lstrip().startswith(("•", "-")) for line in lines), len(lines)),
        "ellipsis_lines": share(sum(line.rstrip().endswith(("...", "…")) for line in lines), len(lines)),
        "alphabetic_words": share(sum(any(map(str.isalpha, word)) for word in every), len(every)),
        "stop_words": len(set(stop_words) & set(every)),
    }


def repetition(text: str, unicode: bool = False) -> Measures:
    measures: Measures = {"characters": len(text)}
    paragraphs, lines = re.split(r"\n{2,}", text.strip()), re.split(r"\n+", text)
    for name, segments in (("paragraph", paragraphs), ("line", lines)):
        again = [segment for index, segment in enumerate(segments) if segment in segments[:index]]
        measures[f"duplicate_{name}s"] = len(again) / len(segments) if text else None
        measures[f"duplicate_{name}_characters"] = sum(map(len, again)) / len(text) if text else None
    every = words(text, unicode)
    for n in range(2, 5):
        grams = [" ".join(every[index : index + n]) for index in range(len(every) - n + 1)]
        # The first seen of the most frequent: a Counter remembers the order.
        gram, count = Counter(grams).most_common(1)[0] if grams else ("", 0)
        measures[f"top_{n}_gram"] = len(gram) * count / len(text) if text else None
    for n in range(5, 11):
        seen, index, length = set(), 0, 0
        while index + n <= len(every):
            gram = "".join(every[index : index + n])
            if gram in seen:
                length += len(gram)
                index += n
            else:
                seen.add(gram)
                index += 1
        measures[f"duplicate_{n}_grams"] = length / len(text) if text else None
    return measures


def fineweb(text: str, short: int, unicode: bool = False) -> Measures:
    lines = [line for line in text.split("\n") if line.strip()]
    again = [line for index, line in enumerate(lines) if line in lines[:index]]
    every = words(text, unicode)
    return {
        "lines": len(lines),
        "punctuated_lines": sum(line.endswith(TERMINAL_SET) for line in lines) / len(lines) if lines else None,
        "short_lines": sum(len(line) <= short for line in lines) / len(lines) if lines else None,
        "duplicate_line_characters": sum(map(len, again)) / len(text.replace("\n", "")) if lines else None,
        "newline_ratio": text.count("\n") / len(every) if lines and every else None,
    }


def sentences(line: str) -> int:
    """A terminal, more of them and closing marks, white space, and then no lower-case letter and no digit."""
    ends = re.finditer(rf"[{_TERMINAL_CLASS}][{_TERMINAL_CLASS}\"'’”»)\]]*\s+(?=(\S))", line)
    begins = [match[1] for match in ends]
    return bool(line.strip()) + sum(
        not (letter.isdecimal() or (letter.isalpha() and letter.islower())) for letter in begins
    )


_TERMINAL_CLASS = re.escape("".join(TERMINAL_SET))
_CITATION = re.compile(r"\[\d*]|\[edit]|\[citation needed]")
_POLICY = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")


@dataclass
class C4:
    """C4's rules as switches: thresholds of lines, and which of the other line rules are on."""

    max_word_length: float = 1000
    min_words: float = 3
    terminal_punctuation: bool = True
    javascript: bool = True
    policy: bool = True
    citations: bool = True
    unicode: bool = False

    def read(self, text: str) -> tuple[dict[str, int], str]:
        """What the document rules compare, and the text that stays, line breaks included."""
        found, left = {"lorem_ipsum": 0, "curly_brackets": 0, "sentences": 0}, []
        for whole in text.splitlines(keepends=True):
            every = words(whole, self.unicode)
            plain = _CITATION.sub("", whole.strip()) if self.citations else whole.strip()
            if any(len(word) > self.max_word_length for word in every) or len(every) < self.min_words:
                continue
            if self.terminal_punctuation and (not plain.endswith((*".?!\"'",)) or plain.endswith("...")):
                continue
            found["lorem_ipsum"] += "lorem ipsum" in plain.lower()
            if self.javascript and "javascript" in plain.lower():
                continue
            found["curly_brackets"] += "{" in plain
            if self.policy and any(phrase in plain.lower() for phrase in _POLICY):
                continue
            found["sentences"] += sentences(plain)
            left.append(_CITATION.sub("", whole) if self.citations else whole)
        return found, "".join(left)
