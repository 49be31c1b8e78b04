from dataclasses import replace

import numpy as np

from gossamer.codec.lossy.gains import output_gains
from gossamer.graph import Dense, Graph, Input, Node
from gossamer.graph.ops import Linear


def chain(rng, last):
    nodes = (
        Node("a", Linear(), ("x",), {"weight": "wa"}),
        Node("b", Linear(), ("a",), {"weight": "wb"}),
    )
    weights = {"wa": Dense(rng.standard_normal((4, 6))), "wb": Dense(last)}
    return Graph(Input("x", (1, 6)), nodes, "b", weights)


def test_the_last_layer_passes_on_what_it_gets_wrong(rng):
    x = rng.standard_normal((200, 6)).astype(np.float32)
    gains = output_gains(chain(rng, np.eye(4)), x - x.mean(axis=0), seed=0)
    np.testing.assert_allclose([gains["a"], gains["b"]], 1, rtol=1e-4)


def test_gains_are_squares_of_what_comes_behind(rng):
    x = rng.standard_normal((100, 6)).astype(np.float32)
    one, ten = chain(rng, np.eye(4)), chain(rng, 10 * np.eye(4))
    assert np.isclose(output_gains(ten, x, 0)["a"], 100 * output_gains(one, x, 0)["a"], rtol=1e-3)


def test_every_layer_has_a_positive_gain(net, images):
    dead = replace(net, weights={**net.weights, "w1": Dense(np.zeros((12, 12, 3, 3)))})
    for graph in (net, dead):
        gains = output_gains(graph, images[:8], seed=3)
        assert list(gains) == ["stem", "mid", "down", "out"]
        assert all(gain > 0 for gain in gains.values())
        assert gains == output_gains(graph, images[:8], seed=3)
