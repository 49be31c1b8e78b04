import heapq
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.codec.coder.lengths import code_lengths


def huffman_cost(counts):
    """Total bits of the best code without a limit: the sum of all merged weights (Huffman 1952)."""
    heap = [count for count in counts if count]
    heapq.heapify(heap)
    cost = 0
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        cost += merged
        heapq.heappush(heap, merged)
    return cost


def best_limited_cost(counts, limit):
    """The least cost over all length vectors that satisfy Kraft's inequality, by search."""
    counts = sorted((count for count in counts if count), reverse=True)

    def search(index, room, shortest):
        if index == len(counts):
            return 0
        return min(
            (
                counts[index] * length + search(index + 1, room - Fraction(1, 2**length), length)
                for length in range(shortest, limit + 1)
                if room - Fraction(1, 2**length) >= Fraction(len(counts) - index - 1, 2**limit)
            ),
            default=10**9,
        )

    return search(0, Fraction(1), 1)


@given(
    st.lists(st.integers(0, 1000), min_size=2, max_size=60).filter(lambda c: sum(map(bool, c)) > 1)
)
def test_without_a_tight_limit_the_cost_is_huffmans(counts):
    lengths = code_lengths(np.array(counts), 30)
    assert (lengths * counts).sum() == huffman_cost(counts)


@given(st.lists(st.integers(0, 60), min_size=2, max_size=8).filter(lambda c: sum(map(bool, c)) > 1))
def test_under_a_limit_the_cost_is_the_least(counts):
    limit = int(np.count_nonzero(counts) - 1).bit_length()
    lengths = code_lengths(np.array(counts), limit)
    assert (lengths * counts).sum() == best_limited_cost(counts, limit)
    assert lengths.max() <= limit


@given(st.lists(st.integers(0, 2**40), max_size=300), st.integers(9, 16))
def test_codes_are_complete_and_short_enough(counts, limit):
    array = np.array(counts, np.int64)
    lengths = code_lengths(array, limit)
    used = np.count_nonzero(array)
    assert ((lengths > 0) == (array > 0)).all() or used < 2
    if used > 1:
        assert sum(Fraction(1, 2 ** int(length)) for length in lengths if length) == 1
        assert lengths.max() <= limit


@pytest.mark.parametrize("counts", [[], [0, 0], [0, 5, 0]])
def test_fewer_than_two_symbols_need_no_bits(counts):
    assert not code_lengths(np.array(counts, np.int64), 16).any()


def test_a_full_alphabet_at_the_limit_is_flat():
    assert set(code_lengths(np.arange(1, 2**16 + 1), 16).tolist()) == {16}


def test_fibonacci_counts_reach_the_limit():
    fibonacci = [1, 1]
    while len(fibonacci) < 40:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    assert code_lengths(np.array(fibonacci), 60).max() == 39
    assert code_lengths(np.array(fibonacci), 16).max() == 16


@given(st.lists(st.integers(1, 10**6), min_size=2, max_size=60))
def test_codes_are_within_a_bit_of_the_entropy(counts):
    """H ≤ L < H + 1, and L − H ≤ p_max + 0.086 (Gallager, 1978)."""
    shares = np.array(counts) / sum(counts)
    entropy = float(-(shares * np.log2(shares)).sum())
    mean = float((code_lengths(np.array(counts), 60) * shares).sum())
    assert entropy - 1e-9 <= mean < entropy + 1
    assert mean - entropy <= shares.max() + 0.0861
