import itertools

import pytest

from gossamer.train.registry import SCHEDULES


@pytest.mark.parametrize("name", list(SCHEDULES))
def test_starts_at_one_and_never_rises(name):
    factors = [SCHEDULES[name](i / 100) for i in range(101)]
    assert factors[0] == 1
    assert all(0 <= b <= a for a, b in itertools.pairwise(factors))
