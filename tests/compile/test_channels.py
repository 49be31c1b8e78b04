from __future__ import annotations

import numpy as np
import pytest

from gossamer.graph import Graph, Input, Node
from gossamer.graph.ops import ChannelSelect, LocalResponseNorm
from tests.compile.graphs import assert_equals_interpreter, single


@pytest.mark.parametrize("order", [(-1, 0), (5, 0, -1), (0, -1, 1, -1, -1), (-1, 0, 1, -1, 3)])
@pytest.mark.parametrize("shape", [(2, 6), (2, 6, 3, 2)])
def test_a_copied_run_may_stand_one_place_behind_zeros(
    order: tuple[int, ...], shape: tuple[int, ...]
) -> None:
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    assert_equals_interpreter(single(ChannelSelect(order), shape), x)


def test_response_norms_with_almost_the_same_power() -> None:
    nodes = (
        Node("a", LocalResponseNorm(3, 1.0, 0.5000001, 1.0), ("x",)),
        Node("b", LocalResponseNorm(3, 1.0, 0.5000002, 1.0), ("a",)),
    )
    x = np.random.default_rng(0).standard_normal((1, 3, 4, 4)).astype(np.float32)
    assert_equals_interpreter(Graph(Input("x", x.shape), nodes, "b", {}), x)
