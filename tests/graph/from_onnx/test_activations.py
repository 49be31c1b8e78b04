"""Activations, against ONNX Runtime, in the forms that exporters write."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from onnx import ModelProto, NodeProto

from gossamer.graph.from_onnx.activations import HANDLERS
from gossamer.graph.ops import Activation
from tests.graph.from_onnx.conftest import assert_reads, make_model, node


def number(value: float) -> np.ndarray:
    return np.array(value, np.float32)


# name → nodes, arrays, kinds of the graph's nodes, further arguments of `make_model`
CASES: dict[str, tuple[list, dict, list[str], dict]] = {
    "Relu": ([node("Relu", "x")], {}, ["activation"], {}),
    "Sigmoid": ([node("Sigmoid", "x")], {}, ["activation"], {}),
    "Tanh": ([node("Tanh", "x")], {}, ["activation"], {}),
    "HardSwish": ([node("HardSwish", "x")], {}, ["activation"], {}),
    "HardSigmoid": ([node("HardSigmoid", "x", alpha=1 / 6)], {}, ["activation"], {}),
    "HardSigmoid steeper": ([node("HardSigmoid", "x")], {}, ["scale_shift", "activation"], {}),
    "Clip to 0…6": (
        [node("Clip", "x low high")],
        {"low": number(0), "high": number(6)},
        ["activation"],
        {},
    ),
    "Clip of old": ([node("Clip", "x", min=0.0, max=6.0)], {}, ["activation"], {"opset": 9}),
    "Clip from below": ([node("Clip", "x low -")], {"low": number(0)}, ["activation"], {}),
    "Clip of nothing": ([node("Clip", "x"), node("Relu", "y", "z")], {}, [], {}),
    "Clip from above of what is positive": (
        [node("Relu", "x", "a"), node("Clip", "a - high")],
        {"high": number(6)},
        ["activation", "activation"],
        {},
    ),
    "Max and Min": (
        [node("Max", "zero x", "a"), node("Min", "a six")],
        {"zero": number(0), "six": number(6)},
        ["activation", "activation"],
        {},
    ),
    "silu": ([node("Sigmoid", "x", "s"), node("Mul", "x s")], {}, ["activation"], {}),
    "hard_swish by hand": (
        [
            node("Add", "x three", "a"),
            node("Clip", "a zero six", "c"),
            node("Mul", "x c", "m"),
            node("Div", "m six"),
        ],
        {"three": number(3), "zero": number(0), "six": number(6)},
        ["activation"],
        {},
    ),
    "hard_sigmoid by hand": (
        [
            node("Add", "three x", "a"),
            node("Clip", "a zero six", "c"),
            node("Mul", "c sixth", "s"),
            node("Mul", "s x"),
        ],
        {"three": number(3), "zero": number(0), "six": number(6), "sixth": number(1 / 6)},
        ["activation"],
        {},
    ),
    "Erf": ([node("Erf", "x")], {}, ["activation"], {}),
    "Gelu": ([node("Gelu", "x")], {}, ["activation"], {"opset": 20}),
    "LeakyRelu": ([node("LeakyRelu", "x")], {}, ["activation"], {}),
    "PRelu": ([node("PRelu", "x s")], {"s": number(0.25)}, ["activation"], {}),
}


@pytest.mark.parametrize("case", CASES)
def test_equals_onnxruntime(case: str) -> None:
    nodes, arrays, kinds, options = CASES[case]
    graph = assert_reads(make_model(nodes, arrays, **options))
    assert [n.op.kind for n in graph.nodes] == kinds


def test_every_operator_has_a_case() -> None:
    used = {n.op_type for nodes, *_ in CASES.values() for n in nodes}
    assert set(HANDLERS) <= used


NUMBERS = {
    "root": number(2**0.5),
    "inverse": number(0.5**0.5),
    "one": number(1),
    "half": number(0.5),
    "three": number(3),
    "c": number(0.044715),
    "b": number((2 / np.pi) ** 0.5),
}
GATE = [node("Erf", "d", "e"), node("Add", "e one", "g")]
TANH = [
    *(node("Mul", "q c", "t"), node("Add", "x t", "a"), node("Mul", "a b", "i")),
    *(node("Tanh", "i", "f"), node("Add", "f one", "g")),
]

# what it is, the file's nodes, its operator set
GELU: dict[str, tuple[str, list[NodeProto], int]] = {
    "of torch": (
        "gelu",
        [node("Div", "x root", "d"), *GATE, node("Mul", "x g", "m"), node("Mul", "m half")],
        11,
    ),
    "of tensorflow": (
        "gelu",
        [node("Mul", "x inverse", "d"), *GATE, node("Mul", "half g", "m"), node("Mul", "m x")],
        13,
    ),
    "of newer torch": (
        "gelu",
        [node("Mul", "inverse x", "d"), *GATE, node("Mul", "x half", "m"), node("Mul", "m g")],
        18,
    ),
    "by tanh": (
        "gelu_tanh",
        [node("Pow", "x three", "q"), *TANH, node("Mul", "x half", "h"), node("Mul", "h g")],
        17,
    ),
    "by tanh and products": (
        "gelu_tanh",
        [
            *(node("Mul", "x x", "s"), node("Mul", "s x", "q"), *TANH),
            *(node("Mul", "x g", "m"), node("Mul", "m half")),
        ],
        17,
    ),
    "operator": ("gelu", [node("Gelu", "x")], 20),
    "operator by tanh": ("gelu_tanh", [node("Gelu", "x", approximate="tanh")], 20),
}


@pytest.mark.parametrize("form", GELU)
def test_gelu(form: str) -> None:
    function, nodes, opset = GELU[form]
    used = {name for one in nodes for name in one.input}
    arrays = {name: array for name, array in NUMBERS.items() if name in used}
    graph = assert_reads(make_model(nodes, arrays, opset=opset))
    assert [one.op for one in graph.nodes] == [Activation(function)]


@pytest.mark.parametrize(
    ("nodes", "arrays", "name"),
    [
        ([node("LeakyRelu", "x", alpha=0.2)], {}, "leaky_relu(0.2)"),
        ([node("LeakyRelu", "x")], {}, "leaky_relu(0.01)"),
        ([node("PRelu", "x s")], {"s": np.full((4, 1, 1), 0.25, np.float32)}, "leaky_relu(0.25)"),
    ],
)
def test_a_slope_below_zero(nodes: list, arrays: dict, name: str) -> None:
    graph = assert_reads(make_model(nodes, arrays))
    assert [one.op for one in graph.nodes] == [Activation(name)]


REFUSED = {
    "slopes that differ": (
        [node("PRelu", "x s")],
        {"s": np.arange(4, dtype=np.float32).reshape(4, 1, 1)},
        "slopes that differ",
        {},
    ),
    "Clip to other bounds": (
        [node("Clip", "x low high")],
        {"low": number(-1), "high": number(1)},
        "not an activation",
        {},
    ),
    "maximum of values": ([node("Max", "x x")], {}, "one number only", {}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_graph_has_not(
    case: str, assert_refused: Callable[[ModelProto, str], None]
) -> None:
    nodes, arrays, message, options = REFUSED[case]
    assert_refused(make_model(nodes, arrays, **options), message)
