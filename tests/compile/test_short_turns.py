"""Pairs of quads whose products are added in 16 bits."""

from __future__ import annotations

import numpy as np
import pytest

from gossamer.compile.lowering.short_turns import LARGEST, short_pairs


@pytest.mark.parametrize("top", [255, 127, 1])
@pytest.mark.parametrize("rows", [1, 4, 8])
def test_pairs_never_leave_16_bits(top: int, rows: int) -> None:
    rng = np.random.default_rng(rows)
    weights = np.clip(rng.standard_normal((400, rows, 4)) * 40, -128, 127).astype(np.int8)
    words = weights.view(np.int32)[..., 0]
    of_list = np.sort(rng.integers(0, 9, 400))
    pairs, rest = short_pairs(of_list, words, top)
    assert sorted([*pairs.ravel(), *rest]) == list(range(400))
    assert (of_list[pairs[:, 0]] == of_list[pairs[:, 1]]).all()
    assert (np.diff(of_list[pairs[:, 0]]) >= 0).all()
    assert (np.diff(of_list[rest]) >= 0).all()
    both = weights[pairs].astype(int).reshape(-1, 2, rows, 2, 2)
    for sign in (1, -1):
        sums = np.maximum(sign * both, 0).sum(axis=(1, 4))
        assert sums.max(initial=0) * top <= LARGEST
    assert len(pairs) > (100 if rows == 1 else 20)


def test_quads_that_are_too_large_go_alone() -> None:
    words = np.full((4, 4), 127, np.int8).view(np.int32)
    pairs, rest = short_pairs(np.zeros(4, int), words, 255)
    assert len(pairs) == 0
    assert rest.tolist() == [0, 1, 2, 3]


def test_most_quads_that_can_find_a_partner() -> None:
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((64, 4, 64, 4))
    weights = np.rint(weights / np.abs(weights).max((2, 3), keepdims=True) * 127).astype(np.int8)
    words = np.ascontiguousarray(weights.transpose(0, 2, 1, 3)).view(np.int32).reshape(-1, 4)
    pairs, _ = short_pairs(np.repeat(np.arange(64), 64), words, 255)
    assert 2 * len(pairs) > 0.68 * len(words)  # a largest matching of such quads has 0.73
