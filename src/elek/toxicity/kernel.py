# What numba compiles it types itself, and its array scalars are neither int nor float to mypy.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,assignment"
"""The first pass over UTF-8 buffers: words folded on the fly, walked down a trie, weighed. numba, no Python object.

What is seen through, within reason: capitals (Turkish ones too), letters without their marks, accents, letters drawn
out ("shiiit"), digits and signs for letters ("sh1t", "$hit", "s!ktir", "6öt"), stars ("f**k", "f#ck"), letters set
apart ("f u c k", "a.m.k"), words cut in two ("si.ktir"), Cyrillic and Greek look-alikes, letters of mathematical
alphabets, in circles and of full width, zero-width characters.
Linear in the bytes: a word is read up to MAX_WORD symbols, at most twice, stars walk the trie at most once, and what
follows a cut is read again, up to MAX_WORD symbols of it.
"""

from __future__ import annotations

import numpy as np

from elek.kernels import kernel, part
from elek.toxicity.lexicon import (
    APART,
    DIGIT,
    EXACT,
    FUZZY,
    INFLECTED,
    INNOCENT,
    MARKED,
    MAX_WORD,
    OTHER,
    PLAIN,
    SEVERITIES,
    SPACE,
    STAR,
    STRICT,
    SYMBOLS,
    TURKISH,
)
from elek.toxicity.reading import glue, is_joint, is_prose, join, read, skip, stands_alone

_STRONG = SEVERITIES.index("strong")
_CUT = 6  # letters of a pattern that is found in a word cut in two; shorter ones come about by chance
_WEIGHT, _AMBIGUOUS, _MATCHES, _WORST, _SUMS = 0, 1, 2, 3, 4  # places in the totals of a row; sums by category last

# Letters that digits and signs stand for, by symbol.
_LEET = np.full(64, -1, np.int64)
for _sign, _letter in zip("013456789", "oieasgtbg", strict=True):
    _LEET[DIGIT + int(_sign)] = ord(_letter) - ord("a")


@kernel
def _best(fold_, spell, size, apart, lex, stack):
    """The pattern that fits fold_[:size] as a whole (stem and ending) with the longest stem, -1 for none.

    Also whether some path of the trie consumed all of it and could go on behind a space.
    """
    best, best_rank, alive = -1, -1, False
    top = 1
    stack[0, 0], stack[0, 1] = 0, 0  # node, position
    while top > 0:
        top -= 1
        node, position = stack[top, 0], stack[top, 1]
        at = lex.first[node]
        while at >= 0:
            rank = _fits(at, position, fold_, spell, size, apart, lex)
            if rank > best_rank:
                best, best_rank = at, rank
            at = lex.following[at]
        if position == size:
            alive = alive or lex.child[node, SPACE] > 0
            continue
        symbol = fold_[position]
        if symbol < SYMBOLS and lex.child[node, symbol] > 0:
            stack[top, 0], stack[top, 1] = lex.child[node, symbol], position + 1
            top += 1
        if symbol < 64 and _LEET[symbol] >= 0 and lex.child[node, _LEET[symbol]] > 0:
            stack[top, 0], stack[top, 1] = lex.child[node, _LEET[symbol]], position + 1
            top += 1
        if symbol == STAR:
            for letter in range(26):
                if lex.child[node, letter] > 0 and top < len(stack) - 2:
                    stack[top, 0], stack[top, 1] = lex.child[node, letter], position + 1
                    top += 1
    return best, alive


@kernel
def _fits(pattern, stem, fold_, spell, size, apart, lex):
    """Rank of a pattern whose stem is fold_[:stem]; -1 where spelling or ending forbid it. Higher wins."""
    flag = lex.flags[pattern]
    if flag & APART and not apart:
        return -1
    exactly = 1
    for position in range(stem):
        have = spell[position]
        if fold_[position] >= DIGIT and fold_[position] != SPACE:
            exactly = 0  # a digit or star for a letter: no spelling to compare
        elif lex.special[pattern, position]:
            if have == PLAIN:
                if flag & STRICT:
                    return -1
                exactly = 0
        elif have == MARKED:
            letter = fold_[position]
            if flag & TURKISH and not (flag & FUZZY and (letter == 14 or letter == 20)):
                return -1
            exactly = 0
    if stem < size:
        if lex.ending[pattern] == EXACT:
            return -1
        if lex.ending[pattern] == INFLECTED:
            if not _is_ending(fold_, stem, size, flag, lex):
                return -1
        else:
            for position in range(stem, size):
                if fold_[position] == SPACE or fold_[position] == OTHER:
                    return -1
    return stem * 4 + exactly * 2 + (1 if flag & INNOCENT else 0)


@part
def _is_ending(fold_, begin, end, flag, lex):
    """Whether fold_[begin:end] is empty, or what may follow an inflected stem in the language of a pattern."""
    which = 1 if flag & TURKISH else 0
    state = 1
    for position in range(begin, end):
        symbol = fold_[position]
        if symbol >= 26:
            return False
        state = lex.suffixes[which, state, symbol]
        if state == 0:
            return False
    return lex.accepting[which, state]


@kernel
def _across_cuts(data, at, end, size, lex, word, word_spell, stack):
    """Letters of a word that goes on behind a joint, and the byte behind it, where it is a strong one as a whole; else
    `size` and `at`. The cut lies within its stem, and no more than an ending follows: "bit.chunks" is none."""
    total, last, behind = glue(data, at, end, size, lex.symbols, lex.spelled, lex.child, word, word_spell)
    if total > size:
        found, _ = _best(word, word_spell, total, True, lex, stack)
        stem = lex.length[found] if found >= 0 else 0
        if stem >= max(_CUT, last + 1) and lex.severity[found] >= _STRONG:
            return (total, behind) if _is_ending(word, stem, total, lex.flags[found], lex) else (size, at)
    return size, at


@part
def _weigh(data, begin, end, lex, weights, totals, before, fold_, spell, word, word_spell, stack):
    """Add up in `totals` what the text data[begin:end] says, and return how many words it has.

    `before` takes the totals before the first word of a phrase; the other arrays are room for words.
    """
    symbols, spelled, child, first = lex.symbols, lex.spelled, lex.child, lex.first
    at, words = begin, 0
    settled = begin  # up to here signs are what they are: no word is read more than twice
    phrase = 0  # symbols of a phrase begun in earlier words, 0 for none
    while at < end:
        if phrase == 0:
            at, passed = skip(data, at, end, symbols, child, first)
            words += passed
        start, at, size, plain, drawn, doubtful, adjoins = read(
            data, begin, at, end, at >= settled, symbols, spelled, word, word_spell
        )
        if size == 0:
            break
        phrase = phrase if adjoins else 0
        hidden = size == 3 and not plain and word[1] == STAR and stands_alone(data, begin, start, at, end)
        least = 1
        if size == 1 and at + 1 < end:
            size, at, least = join(data, start, at, end, symbols, spelled, word, word_spell)
            hidden = size > 1
        if is_joint(data, at, end) and not hidden and size < MAX_WORD:
            parts = size
            size, at = _across_cuts(data, at, end, size, lex, word, word_spell, stack)
            hidden = size > parts
        drawn = drawn and not hidden
        found, alive, whole = -1, False, False
        if size <= MAX_WORD and (phrase > 0 or drawn or not plain or _may_match(word, size, child, first)):
            found, alive, whole, size = _look_up(
                word, word_spell, size, phrase, drawn, hidden, fold_, spell, lex, stack
            )
            if not whole:
                before[:] = totals
        level = lex.severity[found] if found >= 0 else 0
        if doubtful and (level == 0 or not is_prose(data, begin, start, at, end)):
            at, settled = start, at
            continue
        words += 1
        phrase = size if alive and not drawn else 0
        if found >= 0 and whole:  # the phrase replaces what its words had said one by one
            totals[:] = before
        if level >= least:
            _add(totals, lex.category[found], level, weights)
    return words


@part
def _add(totals, category, level, weights):
    totals[_AMBIGUOUS if level == 1 else _WEIGHT] += weights[level]
    totals[_MATCHES] += 1
    totals[_WORST] = max(totals[_WORST], level)
    totals[_SUMS + category] += weights[level]


@kernel
def scan(
    data, offsets, rows, lex, weights,
    out_words, out_weight, out_ambiguous, out_matches, out_severity, out_category,
):  # fmt: skip
    """Fill the out_ arrays for `rows` of the UTF-8 column (data, offsets). Ambiguous weight is kept apart."""
    fold_, spell = np.empty(MAX_WORD * 2, np.int64), np.empty(MAX_WORD * 2, np.int64)
    word, word_spell = np.empty(MAX_WORD + 1, np.int64), np.empty(MAX_WORD + 1, np.int64)
    stack = np.empty((4096, 2), np.int64)
    totals, before = np.zeros(_SUMS + 8), np.zeros(_SUMS + 8)
    for row in rows:
        totals[:] = 0.0
        out_words[row] = _weigh(
            data, offsets[row], offsets[row + 1], lex, weights, totals, before, fold_, spell, word, word_spell, stack
        )
        out_weight[row], out_ambiguous[row] = totals[_WEIGHT], totals[_AMBIGUOUS]
        out_matches[row], out_severity[row] = totals[_MATCHES], totals[_WORST]
        out_category[row] = np.argmax(totals[_SUMS:]) if totals[_MATCHES] > 0 else -1


@part
def _may_match(word, size, child, first):
    """Whether a pattern ends within the word, or goes on behind it."""
    node = 0
    for position in range(size):
        symbol = word[position]
        node = child[node, symbol] if symbol < SYMBOLS else 0
        if node == 0:
            return False
        if first[node] >= 0:
            return True
    return child[node, SPACE] > 0


@kernel
def _look_up(word, word_spell, size, phrase, drawn, apart, fold_, spell, lex, stack):
    """The pattern of a word, -1 for none: of the phrase in fold_[:phrase] with the word behind it where there is such
    a one or may yet be, else of the word as it stands, with drawn-out letters once, twice, thrice.

    Also whether a phrase may go on, whether the word belongs to one, and the symbols of what fold_ then holds.
    """
    found, alive = -1, False
    if phrase > 0 and phrase + 1 + size <= MAX_WORD and not drawn:
        fold_[phrase], spell[phrase] = SPACE, PLAIN
        for position in range(size):
            fold_[phrase + 1 + position] = word[position]
            spell[phrase + 1 + position] = word_spell[position]
        total = phrase + 1 + size
        found, alive = _best(fold_, spell, total, apart, lex, stack)
        if found >= 0 or alive:
            return found, alive, True, total
    for keep in range(1, 4 if drawn else 2):
        length = _squeeze(word, word_spell, size, fold_, spell, keep if drawn else MAX_WORD)
        hit, more = _best(fold_, spell, length, apart, lex, stack)
        found = hit if hit >= 0 else found
        alive = alive or more
    return found, alive, False, size


@kernel
def _squeeze(word, word_spell, size, fold_, spell, keep):
    """Copy a word, leaving `keep` of every run of three or more equal letters."""
    out, position = 0, 0
    while position < size:
        stop = position + 1
        while stop < size and word[stop] == word[position]:
            stop += 1
        run = stop - position
        if run >= 3 and word[position] < 26:
            run = min(run, keep)
        for _ in range(run):
            fold_[out], spell[out] = word[position], word_spell[position]
            out += 1
        position = stop
    return out
