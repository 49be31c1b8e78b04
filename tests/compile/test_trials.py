from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from gossamer.compile import trials
from gossamer.compile.bind import Binding, Bound
from gossamer.compile.lowering.lower import lower
from gossamer.graph.ops import Conv2d
from gossamer.jit.target import host_target
from tests.compile.graphs import single, sparse_array


@pytest.fixture
def tried() -> tuple[list[Bound], dict[int, Sequence[Bound]]]:
    """All steps of a small network, and the choices of those that have some."""
    weight = sparse_array(np.random.default_rng(0), (16, 8, 3, 3), 0.4)
    graph = single(Conv2d(padding=(1, 1, 1, 1)), (1, 8, 16, 16), weight=weight)
    lowered = lower(graph, (8, 16, 16), host_target(), 1)
    binding = Binding(lowered, host_target())
    chosen = [binding.bind(step.choices[0]) for step in lowered.steps]
    rivals = {
        index: [chosen[index], *map(binding.bind, step.choices[1:3])]
        for index, step in enumerate(lowered.steps)
        if len(step.choices) > 2
    }
    assert rivals
    return chosen, rivals


def test_each_choice_has_the_lower_quartile_of_its_own_times(
    tried: tuple[list[Bound], dict[int, Sequence[Bound]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen, rivals = tried
    ran: list[tuple[int, int]] = []

    def each_step_s(run: object, first: int, count: int) -> list[float]:
        """As if the n-th walk took n microseconds a step."""
        ran.append((first, count))
        return [len(ran) * 1e-6] * count

    monkeypatch.setattr(trials, "each_step_s", each_step_s)
    monkeypatch.setattr(trials, "MEASURE_S", 0.0)
    times = trials.trial_times(chosen, rivals, lambda first, count: None)
    tables = {first for first, _ in ran}
    assert len(tables) == 3
    assert len(ran) == 3 * (1 + trials.LEAST_ROUNDS)
    assert {count for _, count in ran} == {len(chosen)}
    for index, bounds in rivals.items():
        assert list(times[index]) == [bound.choice.label for bound in bounds]
        # Walks 4, 5, 6 are the first that count; the quartile of three is the least.
        assert list(times[index].values()) == pytest.approx([4.0, 5.0, 6.0])


def test_trials_run_each_step_with_its_own_choice(
    tried: tuple[list[Bound], dict[int, Sequence[Bound]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen, rivals = tried
    monkeypatch.setattr(trials, "MEASURE_S", 0.0)
    tables: list[np.ndarray] = []

    def rounds_s(given: Sequence[np.ndarray], run: object, measure_s: float) -> np.ndarray:
        tables.extend(given)
        return np.ones((3, len(given), len(chosen)))

    monkeypatch.setattr(trials, "_rounds_s", rounds_s)
    trials.trial_times(chosen, rivals, lambda first, count: None)
    for turn, table in enumerate(tables):
        for index, bound in enumerate(chosen):
            expected = rivals[index][turn] if index in rivals else bound
            assert np.array_equal(table[index], expected.step)
