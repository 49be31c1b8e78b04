from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import pytest

from gossamer.jit.dot_loop import VECTORS
from gossamer.jit.limits import Limits, measure_limits
from gossamer.jit.target import Target, host_target


def test_limits_are_those_of_a_processor() -> None:
    """No timing is asserted, only that nothing was optimised away or left out."""
    limits = measure_limits(sizes_bytes=(2**14, 2**22))
    assert 0.05 < limits.arithmetic < 2000
    assert set(limits.reading) == {2**14, 2**22}
    assert all(0.01 < speed < 2 * limits.arithmetic for speed in limits.reading.values())
    assert limits.codes is not None
    assert 0.05 < limits.codes < 8000


def test_narrower_vectors_run_too() -> None:
    target = replace(host_target(), lanes=4)
    assert measure_limits(target, sizes_bytes=(4096,)).arithmetic > 0


def test_the_best_of_two_has_the_higher_of_each_speed() -> None:
    slow_cache, slow_arithmetic = (
        Limits(60.0, {4096: 20.0, 8192: 9.0}),
        Limits(50.0, {4096: 30.0, 8192: 8.0}),
    )
    assert slow_cache.best_of(slow_arithmetic) == Limits(60.0, {4096: 30.0, 8192: 9.0})


def test_codes_are_kept_where_they_were_measured() -> None:
    with_codes, without = Limits(60.0, {4096: 20.0}, 200.0), Limits(50.0, {4096: 30.0})
    assert with_codes.best_of(without) == Limits(60.0, {4096: 30.0}, 200.0)
    assert without.best_of(without).codes is None
    for limits in (with_codes, without):
        assert Limits.from_dict(limits.to_dict()) == limits
    assert Limits.from_dict({"arithmetic": 50.0, "reading": {"4096": 30.0}}) == without
    assert "200 of bytes" in str(with_codes)
    assert "bytes" not in str(without)


@pytest.mark.parametrize("dot", VECTORS)
def test_each_way_to_multiply_bytes_that_this_machine_has(dot: str) -> None:
    target = host_target()
    if dot not in (*target.dots, "plain"):
        pytest.skip("this machine has no such instructions")
    with patch.object(Target, "dots", (dot,)):
        limits = measure_limits(target, sizes_bytes=(4096,))
    assert limits.codes is not None
    assert limits.codes > 0
