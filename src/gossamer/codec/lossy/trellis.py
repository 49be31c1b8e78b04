"""Levels whose lowest bits are told by those before them, along the best of many ways."""

from __future__ import annotations

import numpy as np

from gossamer.codec.lossy.layer import in_chunks
from gossamer.codec.lossy.price import Prices
from gossamer.codec.lossy.problem import LayerProblem
from gossamer.codec.parity import STATES, next_state

_BLOCK = 32
_MOST_ENTRIES = 2**23
_STATES = np.arange(STATES)
_WAYS = np.array([(s, next_state(int(s), int(s & 1) + 2 * bit)) for s in _STATES for bit in (0, 1)])
# For each state, the two numbers 2 · state before + next bit of the ways that lead to it.
_INTO = np.argsort(_WAYS[:, 1], kind="stable").reshape(STATES, 2)


def sweep_trellis(
    problem: LayerProblem, upper: np.ndarray, step: float, prices: Prices, bit_cost: float
) -> np.ndarray:
    """Return levels (G, R, F) that obey `gossamer.codec.parity`, of small error at few bits.

    The sweep of `sweep`, but a row keeps the best way into each state (Viterbi's algorithm), and
    each way has passed on its own errors: what a column should be depends on the way that is taken
    (per-survivor processing: Raheli, Polydoros & Tzou, "Per-survivor processing: a general approach
    to MLSE in uncertain environments", IEEE Trans. Comm. 43, 1995). Two ways that meet are compared
    by what they have cost so far, which is exact; what they leave to the columns to come differs
    and is not counted, so the way found is a good one and not surely the best.

    Args:
        problem: of the layer; none of its weights may be fixed at zero, since odd levels are not.
        upper: U, of `passing_on`.
        step: between levels, > 0, about half of what `sweep` would need.
        prices: of levels whose lowest bit is known.
        bit_cost: of a bit, in squared error.
    """
    groups, rows, size = problem.target.shape
    levels = np.zeros((groups, rows, size), np.int64)
    at_once = max(1, _MOST_ENTRIES // (STATES * size))
    for g in range(groups):
        for some in in_chunks(rows, at_once):
            wanted = problem.target[g, some] / step
            classes = prices.classes[g, some]
            cost = prices.table * (bit_cost / step**2)
            levels[g, some] = _best_ways(wanted, upper[g], cost, classes)
    return levels


def _best_ways(
    wanted: np.ndarray, upper: np.ndarray, prices: np.ndarray, classes: np.ndarray
) -> np.ndarray:
    """Return the levels (R, F) of each row's best way; errors are passed on block by block."""
    rows, size = wanted.shape
    cost = np.full((rows, STATES), np.inf)
    cost[:, 0] = 0
    rest = np.repeat(wanted[:, None], STATES, axis=1).reshape(rows * STATES, size)
    before, levels = np.empty((2, size, rows, STATES), np.int16)
    for columns in in_chunks(size, _BLOCK):
        block = _Block(rest[:, : columns.stop - columns.start], upper[columns, columns])
        for j in range(columns.start, columns.stop):
            before[j], levels[j] = block.step(cost, prices[classes[:, j]])
        later = upper[columns, columns.stop :]
        rest = rest[block.origin, columns.stop - columns.start :] - block.errors @ later
    return _walk_back(cost.argmin(axis=1), before, levels)


class _Block:
    """Some columns of all rows and states, while their levels are chosen one after another."""

    def __init__(self, rest: np.ndarray, upper: np.ndarray) -> None:
        self.rest, self.upper, self.column = rest, upper, 0
        self.errors = np.zeros(rest.shape)
        self.origin = np.arange(len(rest))

    def step(self, cost: np.ndarray, prices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Go one column on: for each (row, state), the state before and the level; updates cost.

        Args:
            cost: (R, states), of the ways so far.
            prices: (R, levels), of the column's levels.
        """
        rows, j = len(cost), self.column
        wanted = self.rest[:, j].reshape(rows, STATES, 1)
        offset = (_STATES & 1)[:, None] + np.array([0, 2])
        near = 4 * np.rint((wanted - offset) / 4) + offset
        largest = prices.shape[1] // 2
        priced = np.clip(near, -largest, largest).astype(np.int64) + largest
        bits = np.take_along_axis(prices, priced.reshape(rows, -1), 1).reshape(near.shape)
        total = cost[:, :, None] + ((wanted - near) / self.upper[j, j]) ** 2 + bits
        into = total.reshape(rows, -1)[:, _INTO]
        best = into.argmin(axis=2)
        cost[:] = np.take_along_axis(into, best[:, :, None], 2)[:, :, 0]
        way = _INTO[_STATES, best]
        level = np.take_along_axis(near.reshape(rows, -1), way, 1)
        self._follow(way >> 1, level)
        return way >> 1, level

    def _follow(self, before: np.ndarray, level: np.ndarray) -> None:
        """Let each state go on from its best way, and pass the error on within the block."""
        j = self.column
        source = (before + STATES * np.arange(len(before))[:, None]).ravel()
        self.rest, self.errors = self.rest[source], self.errors[source]
        self.origin = self.origin[source]
        error = (self.rest[:, j] - level.ravel()) / self.upper[j, j]
        self.errors[:, j] = error
        self.rest[:, j + 1 :] -= error[:, None] * self.upper[j, j + 1 :]
        self.column += 1


def _walk_back(state: np.ndarray, before: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return the levels (R, F) on the ways that end in some state of each row."""
    size, rows, _ = levels.shape
    found, every = np.zeros((rows, size), np.int64), np.arange(rows)
    for j in range(size - 1, -1, -1):
        found[:, j] = levels[j, every, state]
        state = before[j, every, state]
    return found
