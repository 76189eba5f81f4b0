# What numba compiles it types itself, and its array scalars are neither int nor float to mypy.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,assignment"
"""The first pass over UTF-8 buffers: words folded on the fly, walked down a trie, weighed. numba, no Python object.

What is seen through, within reason: capitals (Turkish ones too), letters without their marks, accents, letters drawn
out ("shiiit"), digits and signs for letters ("sh1t", "pu$t", "6öt"), stars ("f**k"), letters set apart ("f u c k"),
zero-width characters. Linear in the bytes: a word is read up to MAX_WORD symbols, stars walk the trie at most once.
"""

from __future__ import annotations

import numba
import numpy as np

from elek.toxicity.lexicon import (
    BREAK,
    DIGIT,
    EXACT,
    FUZZY,
    INFLECTED,
    INNOCENT,
    MARKED,
    MAX_WORD,
    OTHER,
    PLAIN,
    SKIP,
    SPACE,
    STAR,
    STRICT,
    SYMBOLS,
    TURKISH,
)

_WEIGHT, _AMBIGUOUS, _MATCHES, _WORST, _SUMS = 0, 1, 2, 3, 4  # places in the totals of a row; sums by category last

# Letters that digits and signs stand for, by symbol.
_LEET = np.full(64, -1, np.int64)
for _sign, _letter in zip("013456789", "oieasgtbg", strict=True):
    _LEET[DIGIT + int(_sign)] = ord(_letter) - ord("a")


@numba.njit(cache=True, nogil=True, forceinline=True)
def _best(fold_, spell, size, lex, stack):
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
            rank = _fits(at, position, fold_, spell, size, lex)
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


@numba.njit(cache=True, nogil=True, forceinline=True)
def _fits(pattern, stem, fold_, spell, size, lex):
    """Rank of a pattern whose stem is fold_[:stem]; -1 where spelling or ending forbid it. Higher wins."""
    flag = lex.flags[pattern]
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
            which = 1 if flag & TURKISH else 0
            state = 1
            for position in range(stem, size):
                symbol = fold_[position]
                if symbol >= 26:
                    return -1
                state = lex.suffixes[which, state, symbol]
                if state == 0:
                    return -1
            if not lex.accepting[which, state]:
                return -1
        else:
            for position in range(stem, size):
                if fold_[position] == SPACE or fold_[position] == OTHER:
                    return -1
    return stem * 4 + exactly * 2 + (1 if flag & INNOCENT else 0)


@numba.njit(cache=True, nogil=True)
def scan(
    data, offsets, rows, lex, weights,
    out_words, out_weight, out_ambiguous, out_matches, out_severity, out_category,
):  # fmt: skip
    """Fill the out_ arrays for `rows` of the UTF-8 column (data, offsets). Ambiguous weight is kept apart."""
    fold_ = np.empty(MAX_WORD * 2, np.int64)
    spell = np.empty(MAX_WORD * 2, np.int64)
    word = np.empty(MAX_WORD + 1, np.int64)
    word_spell = np.empty(MAX_WORD + 1, np.int64)
    stack = np.empty((4096, 2), np.int64)
    totals = np.zeros(_SUMS + 8)
    before = np.zeros(_SUMS + 8)  # the totals before the first word of a phrase
    for row in rows:
        at, end = offsets[row], offsets[row + 1]
        words = 0
        totals[:] = 0.0
        phrase = 0  # symbols of a phrase begun in earlier words, 0 for none
        while at < end:
            # --- one word: symbols from a letter or digit to whatever cannot be part of it
            size, letters, digits, stars, run, last = 0, 0, 0, 0, 0, -1
            long_runs = False
            while at < end:
                byte = data[at]
                if (97 <= byte <= 122 or 65 <= byte <= 90) and size < MAX_WORD:  # the usual case, short
                    symbol = np.int64(lex.symbols[byte])
                    run = run + 1 if symbol == last else 1
                    long_runs = long_runs or run == 3
                    last = symbol
                    word[size], word_spell[size] = symbol, lex.spelled[byte]
                    size += 1
                    letters += 1
                    at += 1
                    continue
                if byte < 0x80:
                    point, step = np.int64(byte), 1
                elif byte < 0xE0 and at + 1 < end:
                    point, step = ((np.int64(byte) & 0x1F) << 6) | (np.int64(data[at + 1]) & 0x3F), 2
                elif byte < 0xF0:
                    point, step = np.int64(0x800), 3
                    if at + 2 < end and byte == 0xE2 and data[at + 1] == 0x80 and 0x8B <= data[at + 2] <= 0x8F:
                        at += 3  # zero-width space, joiners, direction marks
                        continue
                    if at + 2 < end and byte == 0xEF and data[at + 1] == 0xBB and data[at + 2] == 0xBF:
                        at += 3
                        continue
                else:
                    point, step = np.int64(0x800), 4
                symbol = np.int64(lex.symbols[point]) if point < 0x800 else np.int64(BREAK)
                if symbol == SKIP:
                    at += step
                    continue
                sign = byte == 36 or byte == 64  # $ @: letters only inside a word
                alone = size == 0 or at + 1 == end or not (_is_letter(data[at + 1]) or data[at + 1] == 36)
                if (sign and alone) or (symbol == STAR and size == 0):
                    symbol = np.int64(BREAK)
                elif symbol == STAR:
                    # Inside a word, or two and more behind one or two letters ("f***"); else it is markup.
                    inside = at + 1 < end and (data[at + 1] == 42 or _is_letter(data[at + 1]))
                    if not ((inside or last == STAR) and letters > 0 and (letters <= 2 or stars > 0 or inside)):
                        symbol = np.int64(BREAK)
                if symbol == BREAK:
                    if size > 0:
                        break
                    at += step
                    phrase = phrase if byte == 32 or byte == 10 or byte == 45 or byte == 39 else 0
                    continue
                run = run + 1 if symbol == last else 1
                last = symbol
                long_runs = long_runs or (run == 3 and symbol < 26)
                if size < MAX_WORD:
                    word[size] = symbol
                    word_spell[size] = PLAIN if point >= 0x800 or sign else lex.spelled[point]
                size += 1
                letters += symbol < 26 and not sign
                digits += (DIGIT <= symbol < STAR) or sign
                stars += symbol == STAR
                at += step
            if size == 0:
                break
            # --- letters set apart: "s.i.k.t.i.r", "f u c k"
            if size == 1 and letters == 1 and at + 1 < end:
                joined, after = _join(data, at, end, lex, word, word_spell)
                if joined >= 4:
                    size, letters, at = joined, joined, after
            words += 1
            if size > MAX_WORD or digits >= letters or stars > 3:
                phrase = 0
                continue
            # --- nearly every word leaves the trie here
            if phrase == 0 and digits == 0 and stars == 0 and not long_runs:
                node, candidate = 0, False
                for position in range(size):
                    symbol = word[position]
                    node = lex.child[node, symbol] if symbol < SYMBOLS else 0
                    if node == 0:
                        break
                    candidate = candidate or lex.first[node] >= 0
                if not candidate and (node == 0 or lex.child[node, SPACE] == 0):
                    continue
            # --- readings: in a phrase with what went before; as it stands, drawn-out letters once, twice, thrice
            found, alive, joined_phrase = -1, False, False
            if phrase > 0 and phrase + 1 + size <= MAX_WORD and not long_runs:
                fold_[phrase], spell[phrase] = SPACE, PLAIN
                for position in range(size):
                    fold_[phrase + 1 + position] = word[position]
                    spell[phrase + 1 + position] = word_spell[position]
                total = phrase + 1 + size
                found, alive = _best(fold_, spell, total, lex, stack)
                joined_phrase = found >= 0 or alive
                size = total if joined_phrase else size
            if not joined_phrase:
                before[:] = totals
                for keep in range(1, 4 if long_runs else 2):
                    size_now = _squeeze(word, word_spell, size, fold_, spell, keep if long_runs else MAX_WORD)
                    hit, more = _best(fold_, spell, size_now, lex, stack)
                    if hit >= 0:
                        found = hit
                    alive = alive or more
            if found >= 0:
                if joined_phrase:  # the phrase replaces what its words had said one by one
                    totals[:] = before
                level = lex.severity[found]
                if level > 0:
                    totals[_AMBIGUOUS if level == 1 else _WEIGHT] += weights[level]
                    totals[_MATCHES] += 1
                    totals[_WORST] = max(totals[_WORST], level)
                    totals[_SUMS + lex.category[found]] += weights[level]
            phrase = size if alive and not long_runs else 0
        out_words[row], out_weight[row], out_ambiguous[row] = words, totals[_WEIGHT], totals[_AMBIGUOUS]
        out_matches[row], out_severity[row] = totals[_MATCHES], totals[_WORST]
        out_category[row] = np.argmax(totals[_SUMS:]) if totals[_MATCHES] > 0 else -1


@numba.njit(cache=True, nogil=True, inline="always")
def _is_letter(byte):
    return (65 <= byte <= 90) or (97 <= byte <= 122) or byte >= 0xC3 or (48 <= byte <= 57)


@numba.njit(cache=True, nogil=True, forceinline=True)
def _join(data, at, end, lex, word, word_spell):
    """Letters that follow one by one, each behind the same separator; word[0] is already there."""
    separator = data[at]
    count = 1
    if separator != 46 and separator != 45 and separator != 95 and separator != 32 and separator != 42:
        return count, at
    while at + 1 < end and data[at] == separator and count < MAX_WORD:
        byte = data[at + 1]
        if byte < 0x80:
            point, step = np.int64(byte), 1
        elif 0xC2 <= byte < 0xE0 and at + 2 < end:
            point, step = ((np.int64(byte) & 0x1F) << 6) | (np.int64(data[at + 2]) & 0x3F), 2
        else:
            break
        follows = at + 1 + step
        if lex.symbols[point] >= 26:
            break
        if follows < end and (_is_letter(data[follows])):
            break  # a longer word: not a single letter
        word[count] = lex.symbols[point]
        word_spell[count] = lex.spelled[point]
        count += 1
        at = follows
    return count, at


@numba.njit(cache=True, nogil=True, forceinline=True)
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
