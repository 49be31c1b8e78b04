"""The trellis code against its definition and the distance that its source states."""

import heapq

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.codec.parity import STATES, is_told, next_state


def chained(halves):
    """Levels whose other bits are given, their lowest bits told."""
    state, levels = 0, []
    for half in halves:
        levels.append(2 * half + (state & 1))
        state = next_state(state, levels[-1])
    return levels


@given(halves=st.lists(st.integers(-40, 40), max_size=60))
def test_lowest_bits_obey_the_parity_check(halves):
    levels = chained(halves)
    a, b = ([0] * 5 + [level >> bit & 1 for level in levels] for bit in (0, 1))
    for n in range(5, len(a)):
        assert a[n] == a[n - 2] ^ a[n - 5] ^ b[n - 3]
    assert is_told(np.array([levels], np.int16))


def test_each_state_is_reached_from_two():
    reached = [next_state(s, (s & 1) + 2 * bit) for s in range(STATES) for bit in (0, 1)]
    assert sorted(reached) == sorted(2 * list(range(STATES)))


def test_the_free_distance_is_that_of_the_source():
    """Ungerboeck 1982, table I: 13 steps² for 32 states, where levels side by side have 1."""
    weight = (0, 1, 4, 1)
    heap = [(weight[2], next_state(0, 2))]
    best = {}
    while heap:
        distance, state = heapq.heappop(heap)
        if state == 0:
            break
        if best.setdefault(state, distance) < distance:
            continue
        for level in (state & 1, (state & 1) + 2):
            heapq.heappush(heap, (distance + weight[level], next_state(state, level)))
    assert distance == 13


@pytest.mark.parametrize("place", [0, 7, 19])
def test_one_wrong_lowest_bit_is_noticed(rng, place):
    levels = np.array([chained(rng.integers(-3, 4, 20).tolist()) for _ in range(4)])
    assert is_told(levels)
    levels[2, place] += 1
    assert not is_told(levels)


def test_no_levels_are_told():
    assert is_told(np.zeros((0, 5), int))
    assert is_told(np.zeros((5, 0), int))
