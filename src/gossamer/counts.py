"""The only definition of parameters, nonzeros, MACs, live memory, depth and bits.

A *MAC* is one multiply-accumulate of a convolution or linear layer. Not counted as MACs: biases,
norms, pooling, activations, additions. *Parameters* are all learned numbers, biases and norm scale
and shift included, running statistics excluded. *Nonzeros* are the entries of weight tensors that
are not exactly zero. *Effective MACs* are those whose weight is not zero.

*Peak live memory* is the most that the activations of one image take at one time, as float32, while
the operators run one after the other. A value is alive from the operator that makes it to the last
that reads it, both included: an operator never writes over what it reads. The input and the output
count; weights and what an operator needs for itself (an unfolded picture) do not. *Depth* is the
number of convolutions and linear layers on the path with most of them from input to output.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import ceil, prod

import numpy as np


def conv2d_macs(weight_shape: Sequence[int], output_size: Sequence[int]) -> int:
    """Return the MACs of a convolution for one image.

    Args:
        weight_shape: (K, C/G, R, S); grouping is in the second number, stride and dilation are in
            the output size.
        output_size: (H, W) of the output.

    Examples:
        >>> conv2d_macs((64, 3, 7, 7), (112, 112))
        118013952
    """
    return prod(weight_shape) * prod(output_size)


def linear_macs(weight_shape: Sequence[int]) -> int:
    """Return the MACs of a linear layer with weight (K, F) for one image.

    Examples:
        >>> linear_macs((10, 64))
        640
    """
    return prod(weight_shape)


def peak_live_size(sizes: Sequence[int], last_reads: Sequence[int]) -> int:
    """Return the largest sum of the sizes of the values that are alive at one time.

    Args:
        sizes: of value i, which is made at time i; value 0 is the input.
        last_reads: time i or later at which value i is read last, i itself if nothing reads it.

    Examples:
        >>> peak_live_size([4, 4, 2, 1], [3, 2, 3, 3])  # the input is added back at the end
        10
    """
    change = [0] * (max(last_reads, default=0) + 2)
    for made, (size, last) in enumerate(zip(sizes, last_reads, strict=True)):
        change[made] += size
        change[last + 1] -= size
    return max(accumulate(change))


def winner_count(density: float, entries: int) -> int:
    """Return k = ⌈γ·n⌉, at least 1: how many of n entries k winners keep at density γ.

    Examples:
        >>> [winner_count(0.3, n) for n in (1, 4, 10)]
        [1, 2, 3]
    """
    return max(1, ceil(density * entries - 1e-9))  # 0.3 · 10 is a little more than 3


def entropy_bits(symbols: np.ndarray) -> float:
    """Return the zero-order entropy of an integer array: n · H(symbol), in bits for all of it.

    Examples:
        >>> entropy_bits(np.array([0, 0, 1, 1]))
        4.0
    """
    if symbols.size == 0:
        return 0.0
    _, counts = np.unique(symbols, return_counts=True)
    return float(-(counts * np.log2(counts / symbols.size)).sum()) + 0.0


def learning_bits(symbols: np.ndarray) -> float:
    """Return the least that any coder adds to the entropy of some array who must learn it first.

    No coder who knows which symbols occur, but not how often, adds less in the worst case: the
    logarithm of the sum of all maximum likelihoods (Shtarkov, "Universal sequential coding of
    single messages", 1987), by the recurrence of Kontkanen & Myllymäki 2007.

    Examples:
        >>> round(learning_bits(np.array([0, 1])), 3)  # 00, 01, 10, 11: 1 + 1/4 + 1/4 + 1
        1.322
    """
    size, kinds = symbols.size, len(np.unique(symbols))
    if kinds < 2:
        return 0.0
    ones = np.arange(1, size)
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, size + 1)))])
    likelihoods = logs[size] - logs[ones] - logs[size - ones]
    likelihoods += ones * np.log(ones / size) + (size - ones) * np.log(1 - ones / size)
    fewer, total = 0.0, float(np.logaddexp.reduce(np.append(likelihoods, np.log(2))))
    for count in range(1, kinds - 1):
        fewer, total = total, float(np.logaddexp(total, np.log(size / count) + fewer))
    return total / float(np.log(2))


def position_bits(size: int, nonzeros: int) -> float:
    """Return the zero-order bound for storing which entries are nonzero: n · H2(density), in bits.

    Examples:
        >>> position_bits(100, 50)
        100.0
    """
    if nonzeros in (0, size):
        return 0.0
    p = nonzeros / size
    return float(-size * (p * np.log2(p) + (1 - p) * np.log2(1 - p)))


def shared_bits(size: int, values: int, *, bits: int = 32) -> float:
    """Return what numbers that share few values take: n·log2 k for codes, k·b for the values.

    Source: Han et al., "Deep Compression", 2016, section 3, whose rate is n·b over this.

    Args:
        size: n, how many numbers.
        values: k, how many different ones.
        bits: b, of one value.

    Examples:
        >>> 16 * 32 / shared_bits(16, 4)  # their example
        3.2
    """
    return size * float(np.log2(max(values, 1))) + values * bits
