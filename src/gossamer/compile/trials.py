"""Times of a step's choices where it stands: the whole network runs, each time with other choices.

A step that is repeated alone finds its weights and pixels in the nearest cache, in a network they
lie where the other steps have left them: a kernel that wins the one may lose the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import perf_counter

import numpy as np

from gossamer.compile.bind import Bound
from gossamer.compile.timings import Times
from gossamer.runtime.in_place import Run, each_step_s

LEAST_ROUNDS = 3
MOST_ROUNDS = 50
MEASURE_S = 0.2
"""After which no further round begins, once there were enough."""


def trial_times(
    chosen: Sequence[Bound], tried: Mapping[int, Sequence[Bound]], run: Run
) -> dict[int, Times]:
    """Return the times of each choice of some steps, label → microseconds.

    Trials take turns, so that something else on the machine that lasts for a while disturbs all;
    of each time's samples the lower quartile counts.

    Args:
        chosen: what runs each step of the network, unless it is tried.
        tried: index of a step → its choices.
        run: runs steps on the plan's threads.
    """
    trials = []
    for turn in range(max(map(len, tried.values()))):
        bounds = [tried[i][turn % len(tried[i])] if i in tried else b for i, b in enumerate(chosen)]
        trials.append(np.array([bound.step for bound in bounds]))
    times_us = each_step_us(trials, run, MEASURE_S)
    return {
        index: {b.choice.label: float(times_us[turn][index]) for turn, b in enumerate(bounds)}
        for index, bounds in tried.items()
    }


def each_step_us(trials: Sequence[np.ndarray], run: Run, measure_s: float) -> list[np.ndarray]:
    """Return the time of each step of each table of steps, microseconds; the tables take turns.

    Args:
        trials: tables of steps.
        run: runs steps.
        measure_s: after which no further round begins, once there were enough.
    """
    rounds = _rounds_s(trials, run, measure_s)
    return [
        1e6 * np.quantile(samples, 0.25, axis=0, method="lower")
        for samples in zip(*rounds, strict=True)
    ]


def _rounds_s(trials: Sequence[np.ndarray], run: Run, measure_s: float) -> list[list[list[float]]]:
    """Return the seconds of each step of each trial in each round; a first one does not count."""
    begin, rounds = perf_counter(), []
    while len(rounds) <= LEAST_ROUNDS or (
        len(rounds) <= MOST_ROUNDS and perf_counter() - begin < measure_s
    ):
        rounds.append([each_step_s(run, trial.ctypes.data, len(trial)) for trial in trials])
    return rounds[1:]
