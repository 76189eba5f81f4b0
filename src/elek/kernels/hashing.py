"""Hashes of byte strings, in arithmetic modulo 2**64.

No kernel trusts a hash: where two are equal, the bytes are compared.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from elek.kernels import Array, part

BASE = np.uint64(0x9E3779B97F4A7C15)
SPREAD = np.uint64(0xD6E8FEB86659FD93)

POWERS = np.array([pow(int(BASE), exponent, 2**64) for exponent in range(256)], np.uint64)
"""BASE**0 … BASE**255."""


def _load64(typing_context: Any, data: Any, at: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        pointer = builder.gep(array.data, [arguments[1]])
        word = builder.load(builder.bitcast(pointer, ir.IntType(64).as_pointer()))
        word.align = 1
        return word

    return types.uint64(data, types.int64), generate


load64: Any = intrinsic(_load64)
"""`load64(data, at)`: eight bytes of a uint8 array as one uint64. No check of bounds: the caller has made it."""


@part
def signed(value: Any) -> Any:
    """`value` as int64: of uint64 and int64 together numba, like numpy, makes a float."""
    return np.int64(value)


@part
def contains(eight: Any, byte: int) -> Any:
    """Not 0 where one of eight bytes is `byte`."""
    other = eight ^ (np.uint64(byte) * np.uint64(0x0101010101010101))
    return (other - np.uint64(0x0101010101010101)) & ~other & np.uint64(0x8080808080808080)


@part
def spread(value: Any) -> Any:
    """Bits well mixed, so that the upper ones may number a slot."""
    value = (value ^ (value >> np.uint64(32))) * SPREAD
    return value ^ (value >> np.uint64(32))


@part
def slot_of(value: Any, bits: int) -> Any:
    """Where a table of `2**bits` slots keeps `value` first."""
    return signed(((value ^ (value >> np.uint64(32))) * SPREAD) >> np.uint64(64 - bits))


@part
def bits_for(entries: int, most: int) -> int:
    """log2 of the size of a table that `entries` fill by half at most: from 64 slots to `2**most`."""
    bits = 6
    while bits < most and (1 << bits) < 2 * entries:
        bits += 1
    return bits


@part
def power(exponent: int) -> Any:
    """BASE**exponent: one look-up for what is short, squarings for what is long."""
    if exponent < 256:
        return POWERS[exponent]
    result, factor = np.uint64(1), BASE
    while exponent:
        if exponent & 1:
            result *= factor
        factor *= factor
        exponent >>= 1
    return result


@part
def hash_bytes(data: Array, start: int, stop: int) -> Any:
    """A hash of `data[start:stop]`, eight bytes a step."""
    value = np.uint64(stop - start) * BASE
    while start + 8 <= stop:
        value = spread(value ^ load64(data, start))
        start += 8
    last = np.uint64(0)
    while start < stop:
        last = (last << np.uint64(8)) | np.uint64(data[start])
        start += 1
    return spread(value ^ last)


@part
def differ(data: Array, one: int, other: int, length: int) -> bool:
    """Whether `length` bytes at two places are not the same."""
    index = 0
    while index + 8 <= length:
        if load64(data, one + index) != load64(data, other + index):
            return True
        index += 8
    while index < length:
        if data[one + index] != data[other + index]:
            return True
        index += 1
    return False
