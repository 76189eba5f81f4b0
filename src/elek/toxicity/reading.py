# What numba compiles it types itself, and its array scalars are neither int nor float to mypy.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,assignment"
"""Words in UTF-8 as the first pass reads them: folded, with what stands for a letter taken for one."""

from __future__ import annotations

import numpy as np

from elek.kernels import kernel, part
from elek.toxicity.lexicon import BREAK, DIGIT, FOREIGN, MAX_WORD, PLAIN, SEVERITIES, SKIP, SPACE, STAR

_STRONG = SEVERITIES.index("strong")
_NO_SIGN, _SIGN, _DOUBTFUL_SIGN = 0, 1, 2  # what `$`, `@` and `!` are
OUTSIDE, SOFT_HYPHEN = 0x800, 0xAD  # the first code point of which no table tells, and one that every word ignores


@part
def _is_letter(byte):
    return (65 <= byte <= 90) or (97 <= byte <= 122) or byte >= 0xC3 or (48 <= byte <= 57)


@part
def is_joint(data, at, end):
    """Whether a single dot, hyphen or underscore at `at` is all that parts a word from what follows."""
    return at + 1 < end and (data[at] == 46 or data[at] == 45 or data[at] == 95) and _is_letter(data[at + 1])


@kernel
def _sign(data, begin, at, end, size, signs):
    """Whether a `$`, `@` or `!` is a letter: within a word surely, else perhaps: "$hit", "a$$", "sh!t"."""
    follows = at + 1 < end and (_is_letter(data[at + 1]) or data[at + 1] == 36)
    if data[at] == 33:
        return _DOUBTFUL_SIGN if signs and size > 0 and follows else _NO_SIGN
    if size > 0 and follows:
        return _SIGN
    second = size > 0 and data[at] == 36 and data[at - 1] == 36
    return _DOUBTFUL_SIGN if signs and (second or (size == 0 and follows)) else _NO_SIGN


@kernel
def _is_censored(data, begin, start, at, end, letters, last):
    """Whether a star stands for a letter: within a word, or two and more behind one or two letters ("f***"). Else it
    is markup, and so is what ends a word that a star begins ("**f**")."""
    behind = at + 1
    while behind < end and data[behind] == 42 and behind < at + 4:
        behind += 1
    if behind < end and _is_letter(data[behind]):
        return True
    opened = start > begin and data[start - 1] == 42
    return letters <= 2 and not opened and (last == STAR or behind > at + 1)


@kernel
def skip(data, at, end, symbols, child, first):
    """Pass over words of plain ASCII letters that no pattern fits, which nearly all are in most texts.

    Returns where something else begins, and how many words were passed.
    """
    words = 0
    while at < end:
        start, node, run, last = at, 0, 0, -1
        while at < end and (97 <= data[at] <= 122 or 65 <= data[at] <= 90):
            symbol = np.int64(symbols[data[at]])
            run = run + 1 if symbol == last else 1
            last = symbol
            node = child[node, symbol] if node >= 0 else -1
            if run == 3 or (node > 0 and first[node] >= 0):
                return start, words
            node = node if node > 0 else -1
            at += 1
        if at < end and (data[at] >= 0x80 or symbols[data[at]] != BREAK):
            return start, words
        if at == start:
            at += 1
        elif at == start + 1 or (node > 0 and (child[node, SPACE] > 0 or is_joint(data, at, end))):
            return start, words
        else:
            words += 1
    return at, words


@part
def _decode(data, at, end):
    """Code point and bytes of the character at `at`, which is not ASCII. What lies from 0x800 on is OUTSIDE, but for
    characters of no width (a soft hyphen's) and letters in fancy dress (those that they look like)."""
    byte = data[at]
    if byte < 0xE0 and at + 1 < end:
        return ((np.int64(byte) & 0x1F) << 6) | (np.int64(data[at + 1]) & 0x3F), 2
    step = 3 if byte < 0xF0 else 4
    if at + step > end or (byte != 0xE2 and byte != 0xEF and byte != 0xF0):
        return OUTSIDE, step
    point = np.int64(byte) & (0x0F if step == 3 else 0x07)
    for place in range(at + 1, at + step):
        point = point << 6 | (np.int64(data[place]) & 0x3F)
    if 0x200B <= point <= 0x200F or point == 0xFEFF:
        return SOFT_HYPHEN, step
    return _undressed(point), step


@part
def _undressed(point):
    """ASCII of a letter that is wide, in a circle or square, or of a mathematical alphabet; OUTSIDE for any other."""
    if 0xFF21 <= point <= 0xFF5A and (point - 0xFF21) % 32 < 26:
        return 65 + point - 0xFF21
    if 0x24B6 <= point < 0x24B6 + 52:
        return 97 + (point - 0x24B6) % 26
    if 0x1F130 <= point <= 0x1F189 and (point - 0x1F130) % 32 < 26:
        return 97 + (point - 0x1F130) % 32
    if 0x1D400 <= point < 0x1D400 + 13 * 52:
        return 97 + (point - 0x1D400) % 26
    if point == 0x210E:  # what mathematics had before it got its alphabets
        return 104
    return 101 if point == 0x212F else 103 if point == 0x210A else 111 if point == 0x2134 else OUTSIDE


@part
def _signified(data, begin, start, at, end, size, letters, last, signs, symbol):
    """Symbol of the ASCII sign at `at`, BREAK where it stands for no letter, and what sort of sign it is."""
    byte = data[at]
    if byte == 36 or byte == 64 or byte == 33:
        sign = _sign(data, begin, at, end, size, signs)
        return (symbol if sign else np.int64(BREAK)), sign
    if symbol == STAR and not (letters and _is_censored(data, begin, start, at, end, letters, last)):
        return np.int64(BREAK), _NO_SIGN
    return symbol, _NO_SIGN


@part
def read(data, begin, at, end, signs, symbols, spelled, word, word_spell):
    """The next word from `at` on: symbols from a letter or digit to whatever cannot be part of it.

    Returns its first byte and the one behind it; how many symbols it has (0: there is none, above MAX_WORD: no word
    worth a look); whether it is all letters; whether one is drawn out; whether a sign in it may be no letter; and
    whether nothing but a separator parts it from the word before. `signs`: take such signs for letters.
    """
    start, size, letters, foreign, digits, stars, run, last = at, 0, 0, 0, 0, 0, 0, -1
    plain, drawn, doubtful, adjoins = True, False, False, True
    while at < end:
        byte = data[at]
        sign, step = _NO_SIGN, 1
        if (97 <= byte <= 122 or 65 <= byte <= 90) and size < MAX_WORD:  # the usual case
            point = np.int64(byte)
            symbol = np.int64(symbols[point])
        else:
            point = np.int64(byte)
            if byte >= 0x80:
                point, step = _decode(data, at, end)
            symbol = np.int64(symbols[point]) if point < OUTSIDE else np.int64(BREAK)
            if symbol == SKIP:
                at += step
                continue
            if byte <= 0x40:
                symbol, sign = _signified(data, begin, start, at, end, size, letters, last, signs, symbol)
                doubtful = doubtful or sign == _DOUBTFUL_SIGN
            if symbol == BREAK:
                if size > 0:
                    break
                at += step
                adjoins = adjoins and (byte == 32 or byte == 10 or byte == 45 or byte == 39)
                continue
        run = run + 1 if symbol == last else 1
        last = symbol
        drawn = drawn or (run == 3 and symbol < 26)
        start = at if size == 0 else start
        if size < MAX_WORD:
            word[size] = symbol
            word_spell[size] = PLAIN if sign else spelled[point]
        size += 1
        letters += symbol < 26 and not sign
        foreign += spelled[point] == FOREIGN
        digits += DIGIT <= symbol < STAR
        stars += symbol == STAR
        plain = plain and symbol < 26 and not sign
        at += step
    if digits >= letters or foreign == letters or stars > 3:
        size = MAX_WORD + 1 if size else 0
    return start, at, size, plain, drawn, doubtful, adjoins


@kernel
def is_prose(data, begin, start, at, end):
    """Whether the word in data[start:at], if a sign begins it, stands as words do and not as a variable in a program:
    behind a space, before another word or the end."""
    if data[start] != 36 and data[start] != 64:
        return True
    if start > begin and data[start - 1] != 32 and data[start - 1] != 10:
        return False
    behind = at
    while behind < end and (data[behind] == 33 or data[behind] == 44 or data[behind] == 46 or data[behind] == 63):
        behind += 1
    if behind == end or data[behind] != 32:
        return behind == end
    while behind < end and data[behind] == 32:
        behind += 1
    return behind == end or _is_letter(data[behind])


@kernel
def stands_alone(data, begin, start, at, end):
    """Whether data[start:at] is a word of prose between spaces or marks, and no part of a formula ("2*s*k")."""
    if start > begin and data[start - 1] != 32 and data[start - 1] != 10 and data[start - 1] != 34:
        return False
    behind = data[at] if at < end else 32
    return behind <= 34 or behind == 44 or behind == 46 or behind == 63


@kernel
def join(data, start, at, end, symbols, spelled, word, word_spell):
    """Letters that follow one by one, each behind the same separator; the first is data[start:at] and word[0].

    Returns how many, the byte behind them, and the least severity that counts; 1 letter where they are no word:
    initials ("U.S.A.") are none, nor placeholders ("x.x.x") of any length.
    """
    separator, first = data[at], at
    count, capital, same = 1, 65 <= data[start] <= 90, True
    if separator != 46 and separator != 45 and separator != 95 and separator != 32 and separator != 42:
        return 1, first, 1
    while at + 1 < end and data[at] == separator and count < MAX_WORD:
        byte = data[at + 1]
        if byte < 0x80:
            point, step = np.int64(byte), 1
        elif 0xC2 <= byte < 0xE0 and at + 2 < end:
            point, step = ((np.int64(byte) & 0x1F) << 6) | (np.int64(data[at + 2]) & 0x3F), 2
        else:
            break
        follows = at + 1 + step
        if symbols[point] >= 26 or spelled[point] == FOREIGN:
            break
        if follows < end and (_is_letter(data[follows])):
            break  # a longer word: not a single letter
        word[count] = symbols[point]
        word_spell[count] = spelled[point]
        capital = capital or 65 <= byte <= 90
        same = same and word[count] == word[0]
        count += 1
        at = follows
    if same or count < 3 or (count == 3 and capital):
        return 1, first, 1
    return count, at, _STRONG if count == 3 else 1


@kernel
def glue(data, at, end, size, symbols, spelled, child, word, word_spell):
    """Append to a word of `size` letters what follows it behind a joint, and so on: "si.ktir", "or-os-pu".

    Returns how many letters there are then, where the last part begins, and the byte behind it; `size` where no
    pattern begins like that. Each letter is a step down the trie, so that little is read in vain.
    """
    node, last, total = 0, 0, size
    for position in range(size):
        node = child[node, word[position]] if word[position] < 26 else 0
        if node == 0:
            return size, last, at
    while node > 0 and is_joint(data, at, end):
        at += 1
        last = total
        while at < end and total < MAX_WORD:
            byte = data[at]
            point, step = np.int64(byte), 1
            if 0xC2 <= byte < 0xE0 and at + 1 < end:
                point, step = ((np.int64(byte) & 0x1F) << 6) | (np.int64(data[at + 1]) & 0x3F), 2
            elif byte >= 0x80:
                return size, last, at
            symbol = np.int64(symbols[point])
            if symbol >= 26 or byte == 33 or byte == 36 or byte == 64:
                break
            node = child[node, symbol] if node > 0 else 0
            word[total], word_spell[total] = symbol, spelled[point]
            total += 1
            at += step
        if total == MAX_WORD:
            return size, last, at
    return total, last, at
