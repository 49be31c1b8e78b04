"""The one loop of all sparse coders: a signal leaves it when its gap is small enough."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gossamer.sparsecoding.coder import SparseCodes, Stop
from gossamer.sparsecoding.lasso import Lasso

State = tuple[np.ndarray, ...]


def iterate(
    lasso: Lasso,
    signals: np.ndarray,
    state: State,
    step: Callable[..., State],
    stop: Stop,
    check_every: int = 10,
) -> SparseCodes:
    """Repeat a step until the duality gap of each signal, or the number of iterations, says stop.

    A signal that is done is not touched any more, and costs nothing.

    Args:
        lasso: the problem.
        signals: (N, m), checked.
        state: arrays of N rows each, the codes (N, K) first. The step may write into them.
        step: (arrays of the signals that are left) → the same arrays one iteration on. It works on
            every signal by itself.
        stop: when to end.
        check_every: iterations from one look at the gaps to the next.
    """
    rows = np.arange(len(signals))
    codes, gaps = np.zeros_like(state[0]), np.zeros(len(signals))
    iterations = np.zeros(len(signals), np.int64)
    aims = stop.tolerance * 0.5 * (signals**2).sum(1)
    done = 0
    while True:
        codes[rows], iterations[rows] = state[0], done
        gaps[rows] = lasso.gaps(signals[rows], state[0])
        left = gaps[rows] > aims[rows]
        rows, state = rows[left], tuple(array[left] for array in state)
        if not len(rows) or done == stop.most_iterations:
            return SparseCodes(codes, gaps, iterations, gaps <= aims)
        turns = min(check_every, stop.most_iterations - done)
        for _ in range(turns):
            state = step(*state)
        done += turns
