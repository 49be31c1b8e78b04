from __future__ import annotations

from dataclasses import replace

from gossamer.jit.limits import Limits, measure_limits
from gossamer.jit.target import host_target


def test_limits_are_those_of_a_processor() -> None:
    """No timing is asserted, only that nothing was optimised away or left out."""
    limits = measure_limits(sizes_bytes=(2**14, 2**22))
    assert 0.05 < limits.arithmetic < 2000
    assert set(limits.reading) == {2**14, 2**22}
    assert all(0.01 < speed < 2 * limits.arithmetic for speed in limits.reading.values())


def test_narrower_vectors_run_too() -> None:
    target = replace(host_target(), lanes=4)
    assert measure_limits(target, sizes_bytes=(4096,)).arithmetic > 0


def test_the_best_of_two_has_the_higher_of_each_speed() -> None:
    slow_cache, slow_arithmetic = (
        Limits(60.0, {4096: 20.0, 8192: 9.0}),
        Limits(50.0, {4096: 30.0, 8192: 8.0}),
    )
    assert slow_cache.best_of(slow_arithmetic) == Limits(60.0, {4096: 30.0, 8192: 9.0})
