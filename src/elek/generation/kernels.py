"""Compiled kernels for one block of the model on a few new tokens, where decoding spends its time.

A product of a matrix and a vector reads every weight once for two operations, so memory limits the speed, and a general
matrix library cannot be faster. PyTorch's overhead per call is then larger than the work itself. Here a block is one
call.

Tokens are computed one by one with the same order of sums, so a token has exactly the same numbers alone, in a batch
and in a prompt. One thread is enough, as it mostly waits for memory: a second one gains at most half on an idle
machine, and loses far more on a busy one.

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
def _turned_heads(weight: Array, x: Array, size: int, positions: Array, cos: Array, sin: Array) -> Array:
    """x [N, C] times a weight as heads [N, heads, D]; their pairs (i, i + D/2) are turned by the tokens' positions."""
    heads = np.empty((x.shape[0], weight.shape[0] // size, size), np.float32)
    _linear(weight, x, heads.reshape(x.shape[0], -1))
    half = size // 2
    for n in range(heads.shape[0]):
        c, s = cos[positions[n]], sin[positions[n]]
        for head in range(heads.shape[1]):
            one = heads[n, head]
            for i in range(half):
                first, second = one[i], one[i + half]
                one[i] = first * c[i] - second * s[i]
                one[i + half] = second * c[i] + first * s[i]
    return heads


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
def _feed_forward(x: Array, norm: Array, eps: float, gate_weight: Array, up_weight: Array, down_weight: Array) -> None:
    """x [N, C] → x + down(silu(gate(norm(x))) * up(norm(x))), in place."""
    normed = np.empty_like(x)
    _rms_norm(x, norm, eps, normed)
    gate = np.empty((x.shape[0], gate_weight.shape[0]), np.float32)
    up = np.empty_like(gate)
    _linear(gate_weight, normed, gate)
    _linear(up_weight, normed, up)
    for n in range(x.shape[0]):
        for j in range(gate.shape[1]):
            gate[n, j] = gate[n, j] / (np.float32(1) + np.exp(-gate[n, j])) * up[n, j]
    _linear(down_weight, gate, normed)
    x += normed


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
    N, K, size = x.shape[0], keys.shape[1], keys.shape[3]
    normed = np.empty_like(x)
    _rms_norm(x, attention_norm, eps, normed)
    query = _turned_heads(query_weight, normed, size, positions, cos, sin)
    key = _turned_heads(key_weight, normed, size, positions, cos, sin)
    value = np.empty_like(key)
    _linear(value_weight, normed, value.reshape(N, -1))
    for n in range(N):
        for head in range(K):
            keys[rows[n], head, positions[n]] = key[n, head]
            values[rows[n], head, positions[n]] = value[n, head]
    mixed = np.empty_like(query)
    for n in range(N):
        for head in range(query.shape[1]):
            shared = head * K // query.shape[1]
            _attend(query[n, head], keys, values, where[rows[n]], shared, positions[n] + 1, mixed[n, head])
    _linear(output_weight, mixed.reshape(N, -1), normed)
    x += normed
    _feed_forward(x, feed_forward_norm, eps, gate_weight, up_weight, down_weight)


@float_kernel
def logits(x: Array, norm: Array, eps: float, head: Array) -> Array:
    """[N, V] of final states x [N, C]."""
    normed = np.empty_like(x)
    _rms_norm(x, norm, eps, normed)
    out = np.empty((x.shape[0], head.shape[0]), np.float32)
    _linear(head, normed, out)
    return out
