from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.codec.lossy.layer import coded_layers, matrix_of, seen_by_filters
from gossamer.codec.lossy.walk import linear_part, run_node
from gossamer.errors import GraphError
from gossamer.graph import Dense, Graph, Input, Node
from gossamer.graph.ops import Activation, Conv2d, Linear, Quantise


@given(
    groups=st.integers(1, 3),
    stride=st.integers(1, 2),
    dilation=st.integers(1, 2),
    padding=st.tuples(*[st.integers(0, 2)] * 4),
    kernel=st.sampled_from([(1, 1), (3, 3), (2, 1)]),
    scaled=st.booleans(),
)
def test_filters_times_what_they_see_is_the_layer(
    groups, stride, dilation, padding, kernel, scaled
):
    rng = np.random.default_rng(0)
    op = Conv2d((stride, stride), padding, (dilation, dilation), groups, "relu")
    node = Node("c", op, ("x",), {})
    weights = {"weight": rng.standard_normal((2 * groups, 2, *kernel)).astype(np.float32)}
    weights["bias"] = rng.standard_normal(2 * groups).astype(np.float32)
    if scaled:
        weights["scale"] = rng.standard_normal(2 * groups).astype(np.float32)
    x = rng.standard_normal((3, 2 * groups, 6, 7)).astype(np.float32)
    filters, bias = matrix_of(node, weights)
    y = filters @ seen_by_filters(node, x, weights["weight"].shape) + bias[:, :, None]
    wanted = run_node(linear_part(node), [x], weights)
    found = y.reshape(2 * groups, 3, -1).transpose(1, 0, 2).reshape(wanted.shape)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_a_linear_layer_is_one_group(rng):
    node, weight = Node("l", Linear(), ("x",), {}), rng.standard_normal((3, 4)).astype(np.float32)
    x = rng.standard_normal((5, 4)).astype(np.float32)
    filters, _ = matrix_of(node, {"weight": weight})
    found = filters @ seen_by_filters(node, x, weight.shape)
    np.testing.assert_allclose(found[0].T, x @ weight.T, rtol=1e-5, atol=1e-6)


def test_shared_weights_are_not_touched(small_graph):
    assert [node.name for node in coded_layers(small_graph)] == ["c1", "out"]


def test_networks_without_such_layers_are_refused(net):
    bare = Graph(Input("x", (1, 4)), (Node("r", Activation("relu"), ("x",)),), "r", {})
    with pytest.raises(GraphError, match="no layer"):
        coded_layers(bare)
    rounded = Node("q", Quantise(0.5, 0), ("x",))
    layer = Node("l", Linear(), ("q",), {"weight": "w"})
    weights = {"w": Dense(np.ones((2, 4)))}
    graph = replace(bare, nodes=(rounded, layer), output="l", weights=weights)
    with pytest.raises(GraphError, match="quantised already"):
        coded_layers(graph)
