import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gossamer.compress.channels.ties import Ties


def test_zero_is_no_channel():
    ties = Ties()
    assert ties.fresh(3).tolist() == [1, 2, 3]
    assert ties.roots(np.array([0, 3])).tolist() == [0, 3]


def test_a_copy_is_for_trying():
    ties = Ties()
    labels = ties.fresh(2)
    other = ties.copy()
    other.tie(labels[:1], labels[1:])
    assert other.roots(labels).tolist() == [1, 1]
    assert ties.roots(labels).tolist() == [1, 2]


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), max_size=60))
def test_the_same_parts_as_by_hand(pairs):
    parts = [{label} for label in range(31)]
    for a, b in pairs:
        merged = parts[a] | parts[b]
        for label in merged:
            parts[label] = merged
    ties = Ties()
    ties.fresh(30)
    if pairs:
        ties.tie(*np.array(pairs).T)
    roots = ties.roots(np.arange(31))
    for a in range(31):
        assert {b for b in range(31) if roots[b] == roots[a]} == parts[a]
        assert roots[a] == min(parts[a])
