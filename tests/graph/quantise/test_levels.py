from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.graph import Graph, Input, Node, interpret
from gossamer.graph.quantise import QuantiseOptions
from gossamer.graph.quantise.levels import choose_levels
from gossamer.graph.quantise.ranges import Seen

NUMBERS = st.floats(-100, 100, width=32)


def seen(values: np.ndarray) -> Seen:
    found = Seen()
    found.add(np.asarray(values, np.float32), 2**16)
    return found


@given(
    st.lists(NUMBERS, min_size=1, max_size=50),
    st.sampled_from(["minmax", "percentile", "mse"]),
    st.booleans(),
)
def test_zero_is_a_level_and_there_are_256(values: list, calibration: str, signed: bool) -> None:
    op = choose_levels(seen(np.array(values)), QuantiseOptions(calibration, signed=signed))
    assert op.high - op.low == 255
    assert op.low == (-128 if signed else 0)
    assert op.low <= op.zero_point <= op.high


@given(st.lists(NUMBERS, min_size=1, max_size=50))
def test_minmax_reaches_from_end_to_end(values: list) -> None:
    op = choose_levels(seen(np.array(values)), QuantiseOptions("minmax"))
    low, high = ((level - op.zero_point) * op.scale for level in (op.low, op.high))
    assert low <= min(values) + op.scale * 0.501
    assert high >= max(values) - op.scale * 0.501


def test_outliers_count_less_by_percentile_and_by_error(rng: np.random.Generator) -> None:
    values = np.append(rng.standard_normal(50_000), [5000.0])
    percentile = choose_levels(seen(values), QuantiseOptions("percentile", percentile=99.9))
    assert percentile.scale * 255 < 8
    values = rng.standard_t(4, 50_000).astype(np.float32)
    errors = {}
    for name in ("minmax", "mse"):
        op = choose_levels(seen(values), QuantiseOptions(name))
        graph = Graph(Input("x", (1, 50_000)), (Node("y", op, ("x",)),), "y", {})
        errors[name] = np.square(interpret(graph, values[None]) - values).mean()
    assert errors["mse"] < 0.9 * errors["minmax"]


@pytest.mark.parametrize("calibration", ["minmax", "percentile", "mse"])
def test_a_value_that_is_always_zero(calibration: str) -> None:
    op = choose_levels(seen(np.zeros(10)), QuantiseOptions(calibration))
    assert (op.scale, op.zero_point) == (1.0, 0)


def test_samples_are_bounded_and_the_ends_are_not() -> None:
    found = Seen()
    values = np.linspace(-1, 2, 10_001, dtype=np.float32)
    found.add(values, 100)
    assert 50 < found.sample.size <= 110
    assert (found.low, found.high) == (-1, 2)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
