"""How long each step of a plan takes where it stands: after the one before, with what that left.

A step that is repeated alone finds its weights and pixels in the nearest cache; in a network the
other steps have used the caches since. So the steps run in their order, each timed by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np

from gossamer.runtime.native import STEP_BYTES
from gossamer.runtime.plan import Plan

ROUNDS = 15
_CALLS = 50

Run = Callable[[int, int], object]
"""Runs (address of steps, how many)."""


def step_times_us(plan: Plan, run: Run, rounds: int = ROUNDS) -> tuple[list[float], float]:
    """Return the median time of each step in its place, and that of all in one go, microseconds.

    Each round begins with the same random numbers as input. The time of a call that runs nothing is
    taken off.

    Args:
        plan: of the steps; its activations and its input are overwritten.
        run: runs steps on the plan's threads.
        rounds: of each, after one that does not count.
    """
    first, count = plan.job
    call_s = float(np.median([_time_s(run, first, 0) for _ in range(_CALLS)]))
    each: list[list[float]] = [[] for _ in range(count)]
    whole = []
    picture = np.random.default_rng(0).standard_normal(plan.input.shape, np.float32)
    for _ in range(rounds + 1):
        plan.input[:] = picture
        for samples, time_s in zip(each, each_step_s(run, first, count), strict=True):
            samples.append(time_s)
        plan.input[:] = picture
        whole.append(_time_s(run, first, count))
    medians = [float(np.median(samples[1:])) for samples in [*each, whole]]
    times_us = [1e6 * max(0.0, time_s - call_s) for time_s in medians]
    return times_us[:-1], times_us[-1]


def each_step_s(run: Run, first: int, count: int) -> list[float]:
    """Run a table of steps in their order and return the seconds of each call."""
    return [_time_s(run, first + STEP_BYTES * index, 1) for index in range(count)]


def _time_s(run: Run, steps: int, count: int) -> float:
    start = perf_counter()
    run(steps, count)
    return perf_counter() - start
