from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.graph import Dense, Layout, Node, Quantised, Sparse
from gossamer.graph.ops import Linear
from gossamer.graph.quantise.weights import integer_weights


def rounded(largest: int = 127, step: float = 0.5, **layouts: Layout) -> dict[str, Layout]:
    node = Node("fc", Linear(), ("x",), {role: role for role in layouts})
    return integer_weights(node, layouts, step, largest)


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 7, 63, 127]), st.booleans())
def test_each_entry_is_at_most_half_a_step_away(seed: int, largest: int, scaled: bool) -> None:
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((4, 9)) * rng.choice([1e-6, 1, 1e6], (4, 1))
    weight[rng.random((4, 9)) < 0.3] = 0
    factors = rng.uniform(-2, 2, 4) if scaled else np.ones(4)
    scale = {"scale": Dense(factors)} if scaled else {}
    made = rounded(largest, weight=Sparse.from_dense(weight), **scale)["weight"]
    assert isinstance(made, Quantised)
    exact = weight.astype(np.float32) * factors.astype(np.float32)[:, None]
    assert (np.abs(made.to_dense() - exact) <= 0.501 * made.scales[:, None]).all()
    assert (made.integers[weight == 0] == 0).all()
    assert (np.abs(made.integers).max(axis=1)[(weight != 0).any(axis=1)] == largest).all()


def test_a_channel_of_zeros_has_some_scale() -> None:
    made = rounded(weight=Dense(np.zeros((2, 3))))["weight"]
    assert made == Quantised(np.zeros((2, 3), int), np.ones(2))


def test_biases_are_multiples_of_the_unit_of_sums() -> None:
    made = rounded(weight=Dense(np.array([[127.0], [254.0]])), bias=Dense(np.array([0.3, -7.6])))
    assert made["bias"].to_dense().tolist() == [0.5, -8.0]


@pytest.mark.parametrize("bias", [1e6, -1e9])
def test_a_bias_that_dwarfs_its_weights_fits_32_bits(bias: float) -> None:
    made = rounded(weight=Dense(np.array([[1e-9]])), bias=Dense(np.array([bias])))
    weight = made["weight"]
    assert isinstance(weight, Quantised)
    np.testing.assert_allclose(made["bias"].to_dense(), bias, rtol=1e-6)
    assert abs(bias) / (0.5 * weight.scales[0]) < 2**31


def test_integers_that_are_there_are_kept() -> None:
    weight = Quantised(np.array([[1, -2], [3, 4]]), np.array([0.5, 1.0]))
    made = rounded(weight=weight, scale=Dense(np.array([2.0, 3.0])))["weight"]
    assert made == Quantised(weight.integers, np.array([1.0, 3.0]))
