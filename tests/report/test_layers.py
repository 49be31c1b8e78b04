import numpy as np
import pytest

from gossamer.graph import Dense, Graph, Input, Node
from gossamer.graph.counting import count
from gossamer.graph.ops import (
    Activation,
    Add,
    AvgPool2d,
    ChannelPermute,
    Conv2d,
    Flatten,
    GlobalAvgPool,
    Linear,
    MaxPool2d,
    Multiply,
    ScaleShift,
)
from gossamer.report.layers import describe_node, layer_lines, layer_table, spans


def network():
    nodes = (
        Node("conv", Conv2d(padding=(1, 1, 1, 1)), ("x",), {"weight": "w", "bias": "b"}),
        Node("norm", ScaleShift(), ("conv",), {"scale": "b", "shift": "b"}),
        Node("act", Activation("relu"), ("norm",)),
        Node("again", Conv2d(padding=(1, 1, 1, 1)), ("act",), {"weight": "v"}),
        Node("add", Add(), ("again", "act")),
        Node("pool", GlobalAvgPool(), ("add",)),
        Node("flat", Flatten(), ("pool",)),
        Node("fc", Linear(), ("flat",), {"weight": "f"}),
    )
    shapes = {"w": (4, 1, 3, 3), "b": (4,), "v": (4, 4, 3, 3), "f": (3, 4)}
    weights = {name: Dense(np.ones(shape)) for name, shape in shapes.items()}
    return Graph(Input("x", (1, 1, 6, 5)), nodes, "fc", weights, name="net")


def test_a_line_a_layer():
    lines = layer_lines(network())
    assert [(line.number, line.name, line.operator, line.reads) for line in lines] == [
        (1, "conv", "conv 3×3 + affine + relu", (0,)),
        (2, "again", "conv 3×3", (1,)),
        (3, "pool", "add + global average pool + flatten", (1, 2)),
        (4, "fc", "linear", (3,)),
    ]
    assert [line.output_shape for line in lines] == [(4, 6, 5), (4, 6, 5), (4,), (3,)]
    assert [line.parameters for line in lines] == [36 + 4 + 8, 144, 0, 12]
    assert [line.macs for line in lines] == [36 * 30, 144 * 30, 0, 12]


def test_the_table_ends_with_the_totals():
    table = layer_table(layer_lines(network()), "a title")
    assert table.title == "a title"
    assert table.rows[2][3] == "1 2"
    assert table.rows[-1][1:] == ("total", "", "", "", "204", f"{count(network()).macs:,}")


@pytest.mark.parametrize(
    ("op", "weight", "words"),
    [
        (Conv2d(stride=(2, 2)), (8, 4, 7, 5), "conv 7×5 /2"),
        (Conv2d(stride=(2, 1), activation="relu"), (8, 4, 1, 1), "conv 1×1 /2×1 + relu"),
        (Conv2d(groups=2), (8, 2, 3, 3), "conv 3×3, 2 groups"),
        (Conv2d(groups=4), (8, 1, 3, 3), "depthwise 3×3"),
        (Conv2d(), (8, 1, 3, 3), "conv 3×3"),
        (Linear(activation="relu6"), (8, 4), "linear + relu6"),
        (MaxPool2d((3, 3), (2, 2)), None, "max pool 3×3 /2"),
        (AvgPool2d((2, 3), (1, 1)), None, "average pool 2×3"),
        (ChannelPermute((1, 0)), None, "permute"),
        (Multiply(), None, "multiply"),
        (Add(activation="relu"), None, "add + relu"),
    ],
)
def test_operators_in_words(op, weight, words):
    weights = {} if weight is None else {"w": Dense(np.ones(weight))}
    node = Node("n", op, ("x",) * max(op.arity, 1), {"weight": "w"} if weights else {})
    graph = Graph(Input("x", (1, 4, 8, 8)), (node,), "n", weights)
    assert describe_node(graph, node) == words


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((), ""),
        ((7,), "7"),
        ((1, 2), "1 2"),
        ((1, 2, 3, 7), "1–3 7"),
        (tuple(range(1, 100)), "1–99"),
        (tuple(range(0, 16, 2)), "0 2 4 6 8 10 12 14"),
        (tuple(range(0, 18, 2)), "0 2 4 … 14 16 (9 layers)"),
    ],
)
def test_layer_numbers_are_written_short(numbers, text):
    assert spans(numbers) == text
