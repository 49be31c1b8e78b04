from __future__ import annotations

from dataclasses import replace

from gossamer.jit.limits import measure_limits
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
