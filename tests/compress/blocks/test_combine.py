import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.compress.blocks.combine import combine_columns, keep_largest


def by_hand(mask: np.ndarray, most: int, conflicts: float) -> list[set[int]]:
    """The rule of the source, read off one pair after the other."""
    groups = [{column} for column in range(mask.shape[1]) if mask[:, column].any()]
    while True:
        best = None
        for first in range(len(groups)):
            for second in range(first + 1, len(groups)):
                union = sorted(groups[first] | groups[second])
                counts = mask[:, union].sum(1)
                clash = np.maximum(counts - 1, 0).sum()
                if len(union) <= most and clash <= conflicts * len(mask):
                    empty = (counts == 0).sum()
                    if best is None or empty < best[0]:
                        best = (empty, first, second)
        if best is None:
            return groups
        _, first, second = best
        groups[first] |= groups.pop(second)


@given(
    seed=st.integers(0, 999), rows=st.integers(1, 8), width=st.integers(1, 12),
    density=st.floats(0.05, 0.6), most=st.integers(1, 5), conflicts=st.floats(0, 2),
)  # fmt: skip
def test_follows_the_rule(seed, rows, width, density, most, conflicts):
    mask = np.random.default_rng(seed).random((rows, width)) < density
    found = combine_columns(mask, most=most, conflicts=conflicts)
    groups = [set(np.flatnonzero(found == number)) for number in range(found.max(initial=-1) + 1)]
    assert groups == by_hand(mask, most, conflicts)
    assert ((found == -1) == ~mask.any(0)).all()


@pytest.mark.parametrize("section", [16, 256])
def test_what_is_kept_has_one_entry_in_each_row_of_each_group(section):
    rng = np.random.default_rng(0)
    weights = np.abs(rng.normal(size=(32, 80))) * (rng.random((32, 80)) < 0.12)
    groups = combine_columns(weights > 0, most=8, conflicts=0.5, section=section)
    count = groups.max() + 1
    assert count < 80 / 2
    kept = keep_largest(weights, groups)
    for number in range(count):
        columns = np.flatnonzero(groups == number)
        assert 1 <= len(columns) <= 8
        assert len({column // section for column in columns}) == 1
        own, left = weights[:, columns], kept[:, columns]
        assert np.maximum((own > 0).sum(1) - 1, 0).sum() <= 0.5 * 32
        assert (left.sum(1) == (own > 0).any(1)).all()
        assert ((own * left).max(1) == own.max(1)).all()
    utilisation = kept.sum() / (32 * count)
    assert utilisation > 3 * (weights > 0).mean()


def test_nothing_to_combine():
    assert combine_columns(np.zeros((3, 4), bool)).tolist() == [-1] * 4
    assert not keep_largest(np.zeros((3, 4)), np.full(4, -1)).any()
    assert combine_columns(np.ones((3, 2), bool), conflicts=0.0).tolist() == [0, 1]
