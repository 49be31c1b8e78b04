"""The printed form of a graph."""

from __future__ import annotations

import numpy as np

from gossamer.graph import Codebook, Dense, Graph, Input, Node, Sparse
from gossamer.graph.ops import Activation, ChannelPermute, Conv2d, Linear, MaxPool2d, shuffle_order

GOLDEN = """\
graph 'tiny'
  x: N=1×8×H=6×6
  stem: 8×3×3 = conv2d(x) {stride=(2, 2), padding=(1, 1, 1, 1), activation=relu} \
[weight: sparse 8×8×3×3 13%; bias: dense 8]
  mix: 8×3×3 = channel_permute(stem) {order=(0, 4, 1, 5, 2, 6, …)}
  pool: 8×1×1 = max_pool2d(mix) {kernel=(3, 3), stride=(1, 1)}
  group: 8×1×1 = conv2d(pool) {groups=4} [weight: codebook 8×2×1×1 50%]
  act: 8×1×1 = activation(group) {function=relu6}
  return act"""


def test_golden() -> None:
    eye = np.zeros((8, 8, 3, 3))
    eye[np.arange(8), np.arange(8)] = np.arange(1, 10).reshape(3, 3)
    eye[0, 1] = 1
    eye[eye == 9] = 0
    half = np.stack([np.ones(8), np.zeros(8)], axis=1).reshape(8, 2, 1, 1)
    graph = Graph(
        Input("x", (1, 8, 6, 6), frozenset({0, 2})),
        (
            Node(
                "stem",
                Conv2d((2, 2), (1, 1, 1, 1), activation="relu"),
                ("x",),
                {"weight": "w", "bias": "b"},
            ),
            Node("mix", ChannelPermute(shuffle_order(8, 2)), ("stem",)),
            Node("pool", MaxPool2d((3, 3), (1, 1)), ("mix",)),
            Node("group", Conv2d(groups=4), ("pool",), {"weight": "g"}),
            Node("act", Activation("relu6"), ("group",)),
        ),
        "act",
        {"w": Sparse.from_dense(eye), "b": Dense(np.ones(8)), "g": Codebook.from_dense(half)},
        name="tiny",
    )
    assert str(graph) == GOLDEN


def test_a_vector_network() -> None:
    node = Node("fc", Linear(), ("x",), {"weight": "w"})
    graph = Graph(Input("x", (1, 3)), (node,), "fc", {"w": Dense(np.ones((2, 3)))})
    assert str(graph).splitlines()[1:3] == ["  x: N=1×3", "  fc: 2 = linear(x) [weight: dense 2×3]"]
