# What numba compiles it types itself, and its array scalars are neither int nor float to mypy.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,assignment"
"""Hashed n-grams of UTF-8 text, and the two loops over them: the sum of their weights, and one epoch of training.

A word is a run of letters and digits, lower-cased: I becomes ı and İ becomes i where the row's language has both (as
`elek.text.casing` does), else both become i. Of each word, between marks for its two ends, all character n-grams are
features, and so are the n-grams of words. A feature is `index << 1 | sign`. Linear in the bytes.
"""

from __future__ import annotations

import math
import unicodedata

import numpy as np
import numpy.typing as npt

from elek.kernels import kernel, part

MAX_WORD = 40
"""Letters of a word that are read; what follows belongs to no word."""

_BEGIN, _END = np.int64(1), np.int64(2)  # no letters of any text
_PRIME, _MIX = np.uint64(0x100000001B3), np.uint64(0x9E3779B97F4A7C15)
_CHARACTERS, _WORDS = np.uint64(0xCBF29CE484222325), np.uint64(0x84222325CBF29CE4)  # seeds: two families apart


def _lower_table() -> npt.NDArray[np.int64]:
    """Lower case of every code point below 0x800 that is a letter or digit, 0 for what ends a word, -1 for marks."""
    table = np.zeros(0x800, np.int64)
    for point in range(0x800):
        character = chr(point)
        if unicodedata.combining(character) or point == 0xAD:
            table[point] = -1
        elif character.isalnum():
            lower = character.lower()
            table[point] = ord(lower) if len(lower) == 1 else ord("i") if character == "İ" else point
    return table


LOWER = _lower_table()


@part
def _code(value, mask):
    value = (value ^ (value >> np.uint64(29))) * _MIX
    value ^= value >> np.uint64(32)
    return np.int64(((value & np.uint64(mask)) << np.uint64(1)) | (value >> np.uint64(63)))


@part
def _wide(byte, second, third):
    """The letter of three bytes (0: a sign, which ends a word, -1: of no width, which a word ignores)."""
    point = ((byte & 0x0F) << 12) | ((second & 0x3F) << 6) | (third & 0x3F)
    if 0x200B <= point <= 0x200F or point == 0xFEFF:
        return np.int64(-1)
    sign = 0x2000 <= point < 0x2C00 or 0x3000 <= point < 0x3040 or point >= 0xFE00
    return np.int64(0) if sign else point


@part
def _of_letters(word, size, least, most, mask, out, count):
    """Features of the n-grams of word[:size] into `out` from `count` on, and how many there are then."""
    for first in range(size):
        value = _CHARACTERS
        for position in range(first, min(first + most, size)):
            value = (value ^ np.uint64(word[position])) * _PRIME
            if position - first + 1 >= least:
                out[count] = _code(value, mask)
                count += 1
    return count


@part
def _of_words(word, size, before, seen, words, mask, out, count):
    """The same of the word and the `seen` words before it, whose hashes are in `before`, to which its own is added."""
    whole = _WORDS
    for position in range(1, size + 1):
        whole = (whole ^ np.uint64(word[position])) * _PRIME
    value = whole
    for length in range(words):
        if length > 0:
            if length > seen:
                break
            value = (before[length - 1] ^ (value << np.uint64(1))) * _PRIME
        out[count] = _code(value, mask)
        count += 1
    for length in range(7, 0, -1):
        before[length] = before[length - 1]
    before[0] = whole
    return count


@kernel
def extract(data, begin, end, dotless, lower, shape, word, out):
    """Features of data[begin:end] into `out`, and how many. `shape`: bits, least and most letters, most words.

    `out` has room for `room(bytes, shape)` features, `word` for MAX_WORD + 2 letters and a hash of each word before.
    """
    mask = (np.int64(1) << shape[0]) - 1
    count, at = 0, begin
    before = np.zeros(8, np.uint64)  # hashes of the words before, the nearest first
    seen = 0
    while at < end:
        size = 0
        word[0] = _BEGIN
        while at < end:
            byte = np.int64(data[at])
            if byte < 0x80:
                step = 1
                letter = lower[byte]
                if byte == 73 and dotless:
                    letter = np.int64(0x131)
            elif byte < 0xE0:
                second = np.int64(data[at + 1]) if at + 1 < end else np.int64(0x80)
                step, letter = 2, lower[((byte & 0x1F) << 6) | (second & 0x3F)]
            elif byte < 0xF0:
                second = np.int64(data[at + 1]) if at + 1 < end else np.int64(0x80)
                third = np.int64(data[at + 2]) if at + 2 < end else np.int64(0x80)
                step, letter = 3, _wide(byte, second, third)
            else:
                step, letter = 4, np.int64(0)
            at += step
            if letter == 0:
                if size > 0:
                    break
                continue
            if letter > 0 and size < MAX_WORD:
                size += 1
                word[size] = letter
        if size == 0:
            break
        word[size + 1] = _END
        count = _of_letters(word, size + 2, shape[1], shape[2], mask, out, count)
        count = _of_words(word, size, before, seen, shape[3], mask, out, count)
        seen = min(seen + 1, 7)
    return count


@kernel
def _room(size, shape):
    return (size + 3) * 2 * (shape[2] - shape[1] + 1 + shape[3]) + 64


@kernel
def score(data, offsets, rows, dotless, lower, shape, limit, weights, bias, out):
    """out[row] = bias + sum of weights of the row's features / sqrt(how many), for `rows` of the column."""
    word = np.empty(MAX_WORD + 2, np.int64)
    features = np.empty(1024, np.int64)
    for row in rows:
        begin = offsets[row]
        end = min(offsets[row + 1], begin + limit)
        if _room(end - begin, shape) > len(features):
            features = np.empty(_room(end - begin, shape), np.int64)
        count = extract(data, begin, end, dotless[row], lower, shape, word, features)
        total = 0.0
        for index in range(count):
            feature = features[index]
            weight = weights[feature >> 1]
            total += -weight if feature & 1 else weight
        out[row] = bias + (total / math.sqrt(count) if count > 0 else 0.0)


@kernel
def epoch(data, offsets, order, labels, dotless, lower, shape, limit, rates, z, n, own):
    """One pass of FTRL-Proximal over the rows in `order`; `z` and `n` are its two sums per weight, `own` the bias's.

    `rates`: alpha, beta, l1, l2. Returns the mean log-loss of the predictions made before each update.
    """
    alpha, beta, l1, l2 = rates[0], rates[1], rates[2], rates[3]
    word = np.empty(MAX_WORD + 2, np.int64)
    features = np.empty(1024, np.int64)
    loss = 0.0
    for row in order:
        begin = offsets[row]
        end = min(offsets[row + 1], begin + limit)
        if _room(end - begin, shape) > len(features):
            features = np.empty(_room(end - begin, shape), np.int64)
        count = extract(data, begin, end, dotless[row], lower, shape, word, features)
        scale = 1.0 / math.sqrt(count) if count > 0 else 0.0
        total = 0.0
        for index in range(count):
            feature = features[index]
            weight = weight_of(z[feature >> 1], n[feature >> 1], alpha, beta, l1, l2)
            total += -weight if feature & 1 else weight
        logit = total * scale + weight_of(own[0], own[1], alpha, beta, 0.0, 0.0)
        logit = min(max(logit, -35.0), 35.0)
        probability = 1.0 / (1.0 + math.exp(-logit))
        wrong = probability - labels[row]
        loss -= math.log(max(probability if labels[row] > 0 else 1.0 - probability, 1e-15))
        for index in range(count):
            feature = features[index]
            place = feature >> 1
            gradient = -wrong * scale if feature & 1 else wrong * scale
            weight = weight_of(z[place], n[place], alpha, beta, l1, l2)
            root = math.sqrt(n[place])
            n[place] += gradient * gradient
            z[place] += gradient - (math.sqrt(n[place]) - root) / alpha * weight
        weight = weight_of(own[0], own[1], alpha, beta, 0.0, 0.0)
        root = math.sqrt(own[1])
        own[1] += wrong * wrong
        own[0] += wrong - (math.sqrt(own[1]) - root) / alpha * weight
    return loss / max(len(order), 1)


@kernel
def weight_of(z, n, alpha, beta, l1, l2):
    """The weight that FTRL's sums stand for: 0 where they stay within `l1`."""
    if abs(z) <= l1:
        return 0.0
    return -(z - (l1 if z > 0 else -l1)) / ((beta + math.sqrt(n)) / alpha + l2)


@kernel
def weights_of(z, n, rates, out):
    for place in range(len(z)):
        out[place] = weight_of(z[place], n[place], rates[0], rates[1], rates[2], rates[3])
