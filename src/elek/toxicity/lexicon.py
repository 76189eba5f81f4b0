"""The word lists, compiled to the arrays that the kernel walks: a trie of folded letters and what stands at its ends.

Folding brings letters to a–z, so that one trie serves "göt" and "got"; how a letter was really spelled is kept
beside it and decides afterwards (`SPECIAL`). The trie also holds digits and, between the words of a phrase, a space.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from importlib import resources
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

SEVERITIES = ("none", "ambiguous", "mild", "strong", "severe")
"""`toxicity.severity` is an index into this."""
CATEGORIES = ("profanity", "insult", "sexual", "slur", "hate", "threat", "violence")
"""Ties between categories go to the earlier one."""
WEIGHTS = (0.0, 0.5, 1.0, 3.0, 6.0)
"""What a match of each severity weighs in the score."""

SPACE, DIGIT, STAR, OTHER, SYMBOLS = 26, 27, 37, 38, 37  # STAR and OTHER occur in texts only, never in the trie
SPECIAL = "çğıöşü"  # letters of Turkish with a plain look-alike, which is what they fold to
MAX_WORD = 40  # symbols of a word or phrase; nothing longer is in the lists
EXACT, INFLECTED, PREFIX = 0, 1, 2
PLAIN, MARKED, CAPITAL_I, FOREIGN = 0, 1, 2, 3  # how a letter was spelled; a capital I may be ı or i
SKIP, BREAK = 254, 255  # characters that a word ignores, or ends at

INNOCENT, STRICT, FUZZY, TURKISH, APART = 1, 2, 4, 8, 16  # flags of a pattern

# Regular endings of English, after the stem as it stands.
_ENGLISH = ["s", "es", "ed", "d", "er", "ers", "ing", "ings", "in", "y", "ish", "ness", "like"]
# Nominal suffixes of Turkish after folding (ı and ü become i and u): plural, possessive, case, copula, derivation.
# Any number may follow one another; vowel harmony is not enforced, because folding has removed what it works on.
# Source: A. Göksel, C. Kerslake, Turkish: A Comprehensive Grammar (2005), chapters 7 and 8.
_TURKISH_ENDINGS = (
    "lar ler im um in un i u si su imiz umuz iniz unuz yi yu a e ya ye na ne da de ta te nda nde dan den tan ten ndan"
    " nden nin nun la le yla yle sin sun siniz sunuz iz uz yim yum yiz yuz dir dur tir tur di du ti tu ydi ydu mis mus"
    " ymis ymus sa se ysa yse lik luk lig lug ca ce siz suz li lu ci cu ki m n las les lasmis lesmis lastir lestir"
)

# Cyrillic and Greek letters that look like Latin ones, and which; they count beside a Latin letter alone.
_LOOK_ALIKES = (
    "аеорсухіјѕкмтАВЕКМНОРСТУХІЈЅ" + "οανκιρτυΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "aeopcyxijskmtabekmhopctyxijs" + "oavkiptuabezhikmnoptyx",
)

Language = Literal["en", "tr", "und"]


class Lexicon(NamedTuple):
    """Arrays of a compiled word list, in a shape that numba takes. N nodes (0 is the root), P patterns."""

    child: npt.NDArray[np.int32]  # (N, SYMBOLS): the node behind a symbol, 0 for none
    first: npt.NDArray[np.int32]  # (N,): a pattern that ends here, -1 for none
    following: npt.NDArray[np.int32]  # (P,): another pattern that ends at the same node, -1 for none
    length: npt.NDArray[np.int32]  # (P,)
    ending: npt.NDArray[np.int8]  # (P,): EXACT, INFLECTED, PREFIX
    severity: npt.NDArray[np.int8]  # (P,)
    category: npt.NDArray[np.int8]  # (P,)
    flags: npt.NDArray[np.int8]  # (P,)
    special: npt.NDArray[np.bool_]  # (P, MAX_WORD): the letter is one of SPECIAL
    suffixes: npt.NDArray[np.int32]  # (2, S, 26): automata of English and Turkish endings; state 0 is dead
    accepting: npt.NDArray[np.bool_]  # (2, S)
    symbols: npt.NDArray[np.uint8]  # (0x800,): folded symbol of a code point, or SKIP, or BREAK
    spelled: npt.NDArray[np.uint8]  # (0x800,): PLAIN, MARKED, CAPITAL_I, FOREIGN


def fold(letter: str) -> tuple[int, bool]:
    """(symbol, special) of one lower-case character of a pattern or a text; OTHER where it is no letter of ours."""
    if letter == " ":
        return SPACE, False
    if letter.isascii() and letter.isdigit():
        return DIGIT + int(letter), False
    if letter == "ı":
        return ord("i") - ord("a"), True
    base = unicodedata.normalize("NFD", letter)[:1]
    if "a" <= base <= "z":
        return ord(base) - ord("a"), letter in SPECIAL
    return OTHER, False


@cache
def load(language: Language) -> Lexicon:
    """The compiled list for a language. Strong and longer patterns of the other language are always in.

    `und` (any other language, or nobody knows) has both lists whole.
    """
    rows = []
    for name in ("en", "tr"):
        text = resources.files("elek.toxicity").joinpath(f"{name}.tsv").read_text(encoding="utf-8")
        for line in text.splitlines():
            if line and not line.startswith("#"):
                pattern, severity, category = (line + "\t").split("\t")[:3]
                travels = severity in ("strong", "severe") and len(_stem(pattern)) >= 5
                if language in (name, "und") or travels:
                    rows += [(name, form, severity, category) for form in _forms(name, pattern)]
    return _compile(rows)


def _forms(name: str, pattern: str) -> list[str]:
    """A pattern and, of an inflected Turkish stem in -k, what it becomes before a vowel: `salağ+`, `pezeveng+`."""
    stem = _stem(pattern)
    if name == "tr" and pattern.endswith("k+") and sum(letter in "aeıioöuü" for letter in stem) > 1:
        return [pattern, f"{pattern[:-2]}{'g' if stem[-2] == 'n' else 'ğ'}+"]
    return [pattern]


def _stem(pattern: str) -> str:
    return pattern.lstrip("!.").rstrip("+*")


def _compile(rows: list[tuple[str, str, str, str]]) -> Lexicon:
    child: list[list[int]] = [[0] * SYMBOLS]
    first, following = [-1], []
    length, ending, severities, categories, flags = [], [], [], [], []
    special = np.zeros((len(rows), MAX_WORD), bool)
    for index, (name, pattern, severity, category) in enumerate(rows):
        stem = _stem(pattern)
        node = 0
        for position, letter in enumerate(stem):
            symbol, special[index, position] = fold(letter)
            if symbol >= SYMBOLS:
                raise ValueError(f"{name}.tsv: {pattern!r} holds {letter!r}, which no pattern may")
            if not child[node][symbol]:
                child[node][symbol] = len(child)
                child.append([0] * SYMBOLS)
                first.append(-1)
            node = child[node][symbol]
        following.append(first[node])
        first[node] = index
        level = 0 if severity == "innocent" else SEVERITIES.index(severity)
        length.append(len(stem))
        ending.append({"+": INFLECTED, "*": PREFIX}.get(pattern[-1], EXACT))
        severities.append(level)
        categories.append(CATEGORIES.index(category) if category else 0)
        flags.append(
            (INNOCENT if severity == "innocent" else 0)
            | (STRICT if pattern.startswith("!") else 0)
            | (FUZZY if level >= 3 and len(stem) >= 5 else 0)
            | (TURKISH if name == "tr" else 0)
            | (APART if pattern.startswith(".") else 0)
        )
    suffixes, accepting = _suffix_automata()
    return Lexicon(
        np.array(child, np.int32), np.array(first, np.int32), np.array(following, np.int32),
        np.array(length, np.int32), np.array(ending, np.int8), np.array(severities, np.int8),
        np.array(categories, np.int8), np.array(flags, np.int8), special, suffixes, accepting, *_tables(),
    )  # fmt: skip


def _suffix_automata() -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
    """Deterministic automata for one English ending, and for a chain of Turkish ones, each possibly empty."""
    machines = [_determinise(_ENGLISH, chain=False), _determinise(_TURKISH_ENDINGS.split(), chain=True)]
    states = max(len(accepting) for _, accepting in machines)
    table = np.zeros((2, states, 26), np.int32)
    final = np.zeros((2, states), bool)
    for which, (moves, accepting) in enumerate(machines):
        table[which, : len(moves)] = moves
        final[which, : len(accepting)] = accepting
    return table, final


def _determinise(endings: list[str], *, chain: bool) -> tuple[list[list[int]], list[bool]]:
    """Subset construction. A position is the part of an ending read so far; state 1 is the start."""
    prefixes = {ending[:stop] for ending in endings for stop in range(len(ending) + 1)}
    start = frozenset({""})
    number: dict[frozenset[str], int] = {frozenset(): 0, start: 1}
    moves, accepting, queue = [[0] * 26], [False], [start]
    for state in queue:
        accepting.append(state == start or bool(state & set(endings)))
        row = []
        for letter in "abcdefghijklmnopqrstuvwxyz":
            reached = {position + letter for position in state if position + letter in prefixes}
            if chain and reached & set(endings):
                reached.add("")  # an ending is complete: the next one may begin
            following = frozenset(reached)
            if following not in number:
                number[following] = len(number)
                queue.append(following)
            row.append(number[following])
        moves.append(row)
    return moves, accepting


def _tables() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Symbol and spelling of every code point below 0x800; other letters of other scripts are OTHER."""
    symbol = np.full(0x800, BREAK, np.uint8)
    spelled = np.zeros(0x800, np.uint8)
    for point in range(0x800):
        character = chr(point)
        if unicodedata.combining(character) or point == 0xAD:  # marks of decomposed letters, the soft hyphen
            symbol[point] = SKIP
        elif character.isalnum():
            lower = "i" if character == "İ" else character.lower()
            symbol[point], special = fold(lower) if len(lower) == 1 else (OTHER, False)
            spelled[point] = MARKED if special else PLAIN
    spelled[ord("I")] = CAPITAL_I
    for foreign, letter in zip(*_LOOK_ALIKES, strict=True):
        symbol[ord(foreign)], spelled[ord(foreign)] = ord(letter) - ord("a"), FOREIGN
    for sign, letter in ("$s", "@a", "!i"):
        symbol[ord(sign)] = ord(letter) - ord("a")
    symbol[ord("*")] = symbol[ord("#")] = STAR
    return symbol, spelled
