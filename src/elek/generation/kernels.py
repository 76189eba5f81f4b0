"""One block of the model for a few new tokens, compiled: what decoding one token at a time spends its time on.

A matrix times a single vector reads every weight once for two operations, so memory sets the pace and a general
matrix library has nothing to win; PyTorch's costs per call are then larger than the work. Here a block is one call.

Tokens are computed one by one in the same order of sums, whatever stands beside them: their numbers are equal to
the bit alone, in a batch, and in a prompt. One thread is enough to wait for memory; a second one gains half at best
on an idle machine, and loses far more on a busy one.

Shapes: N new tokens, C width, H query heads, K key/value heads, D head size, F inner width, V vocabulary;
`keys` and `values` [R, K, context, D] of R rows.
"""

from __future__ import annotations

import math

import numpy as np

from elek.kernels import Array, float_kernel


@float_kernel
def _linear(weight: Array, x: Array, out: Array) -> None:
    """out [N, I] = x [N, J] · weightᵀ [J, I]; a row of `weight` is read once for all of x."""
    for i in range(weight.shape[0]):
        for n in range(x.shape[0]):
            total = np.float32(0)
            for j in range(weight.shape[1]):
                total += weight[i, j] * x[n, j]
            out[n, i] = total


@float_kernel
def _rms_norm(x: Array, weight: Array, eps: float, out: Array) -> None:
    for n in range(x.shape[0]):
        total = np.float32(0)
        for j in range(x.shape[1]):
            total += x[n, j] * x[n, j]
        scale = np.float32(1 / math.sqrt(total / x.shape[1] + eps))
        for j in range(x.shape[1]):
            out[n, j] = x[n, j] * scale * weight[j]


@float_kernel
def _rotate(x: Array, cos: Array, sin: Array) -> None:
    """Turn the pairs (i, i + D/2) of one head [D] in place."""
    half = x.shape[0] // 2
    for i in range(half):
        first, second = x[i], x[i + half]
        x[i] = first * cos[i] - second * sin[i]
        x[i + half] = second * cos[i] + first * sin[i]


@float_kernel
def _attend(query: Array, keys: Array, values: Array, where: Array, head: int, length: int, out: Array) -> None:
    """One head's query [D] over `length` tokens; token t lies in row `where[t]` of the cache."""
    size = query.shape[0]
    scale = np.float32(1 / math.sqrt(size))
    scores = np.empty(length, np.float32)
    top = np.float32(-np.inf)
    for t in range(length):
        key = keys[where[t], head, t]
        total = np.float32(0)
        for d in range(size):
            total += query[d] * key[d]
        scores[t] = total * scale
        top = max(top, scores[t])
    total = np.float32(0)
    out[:] = 0
    for t in range(length):
        weight = np.exp(scores[t] - top)
        total += weight
        value = values[where[t], head, t]
        for d in range(size):
            out[d] += weight * value[d]
    for d in range(size):
        out[d] /= total


@float_kernel
def block(
    x: Array,
    rows: Array,
    positions: Array,
    where: Array,
    keys: Array,
    values: Array,
    cos: Array,
    sin: Array,
    eps: float,
    attention_norm: Array,
    query_weight: Array,
    key_weight: Array,
    value_weight: Array,
    output_weight: Array,
    feed_forward_norm: Array,
    gate_weight: Array,
    up_weight: Array,
    down_weight: Array,
) -> None:
    """x [N, C] → x + attention(norm(x)), then x + feed_forward(norm(x)), in place.

    New token n belongs to row `rows[n]` at `positions[n]`; its key and value are stored there. Tokens of one row
    come in order and see those before them. `where` [R, context] says in which row a row's past lies.
    """
    N, C = x.shape
    heads, size = query_weight.shape[0] // keys.shape[3], keys.shape[3]
    normed = np.empty((N, C), np.float32)
    query = np.empty((N, heads * size), np.float32)
    key = np.empty((N, keys.shape[1] * size), np.float32)
    value = np.empty((N, keys.shape[1] * size), np.float32)
    _rms_norm(x, attention_norm, eps, normed)
    _linear(query_weight, normed, query)
    _linear(key_weight, normed, key)
    _linear(value_weight, normed, value)
    for n in range(N):
        at, row = positions[n], rows[n]
        for head in range(heads):
            _rotate(query[n, head * size : (head + 1) * size], cos[at], sin[at])
        for head in range(keys.shape[1]):
            _rotate(key[n, head * size : (head + 1) * size], cos[at], sin[at])
            keys[row, head, at] = key[n, head * size : (head + 1) * size]
            values[row, head, at] = value[n, head * size : (head + 1) * size]
    mixed = np.empty((N, heads * size), np.float32)
    for n in range(N):
        past = where[rows[n]]
        for head in range(heads):
            span = slice(head * size, (head + 1) * size)
            shared = head * keys.shape[1] // heads
            _attend(query[n, span], keys, values, past, shared, positions[n] + 1, mixed[n, span])
    _linear(output_weight, mixed, normed)
    x += normed
    _rms_norm(x, feed_forward_norm, eps, normed)
    gate = np.empty((N, gate_weight.shape[0]), np.float32)
    up = np.empty((N, gate_weight.shape[0]), np.float32)
    _linear(gate_weight, normed, gate)
    _linear(up_weight, normed, up)
    for n in range(N):
        for j in range(gate.shape[1]):
            gate[n, j] = gate[n, j] / (np.float32(1) + np.exp(-gate[n, j])) * up[n, j]
    _linear(down_weight, gate, normed)
    x += normed


@float_kernel
def logits(x: Array, norm: Array, eps: float, head: Array) -> Array:
    """[N, V] of final states x [N, C]."""
    normed = np.empty_like(x)
    _rms_norm(x, norm, eps, normed)
    out = np.empty((x.shape[0], head.shape[0]), np.float32)
    _linear(head, normed, out)
    return out
