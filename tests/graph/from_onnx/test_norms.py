"""Layer norms over channels, and the blocks of networks in which channels are the last axis."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from onnx import ModelProto

from gossamer.graph.from_onnx.norms import HANDLERS
from tests.graph.from_onnx.conftest import assert_reads, make_model, node

RNG = np.random.default_rng(7)
FOUR, MORE = (RNG.standard_normal(4).astype(np.float32) for _ in range(2))
LAST, FIRST = {"perm": [0, 2, 3, 1]}, {"perm": [0, 3, 1, 2]}
VECTORS = {"g": FOUR, "b": MORE}
WIDE = RNG.standard_normal((4, 7)).astype(np.float32)
BACK = RNG.standard_normal((7, 4)).astype(np.float32)

# name → nodes, arrays, kinds of the graph's nodes, further arguments of `make_model`
CASES: dict[str, tuple[list, dict, list[str], dict]] = {
    "LayerNormalization of a picture": (
        [
            node("Transpose", "x", "t", **LAST),
            node("LayerNormalization", "t g b", "n", epsilon=1e-3),
            node("Transpose", "n", **FIRST),
        ],
        VECTORS,
        ["layer_norm"],
        {},
    ),
    "LayerNormalization of features": (
        [node("LayerNormalization", "x g b", axis=1)],
        VECTORS,
        ["layer_norm"],
        {"sizes": (2, 4)},
    ),
    "LayerNormalization of one pixel": (
        [
            node("GlobalAveragePool", "x", "p"),
            node("Transpose", "p", "t", **LAST),
            node("LayerNormalization", "t g", "n", axis=-1),
            node("Transpose", "n", "u", **FIRST),
            node("Flatten", "u"),
        ],
        {"g": FOUR},
        ["global_avg_pool", "layer_norm", "flatten"],
        {},
    ),
    "LayerNormalization of channels in another order": (
        [
            node("Gather", "x o", "q", axis=1),
            node("Transpose", "q", "t", **LAST),
            node("LayerNormalization", "t g b", "n"),
            node("Transpose", "n", **FIRST),
        ],
        {"o": np.array([2, 0, 3, 1]), **VECTORS},
        ["channel_permute", "layer_norm"],
        {},
    ),
    "a block of ConvNeXt": (
        [
            node("Transpose", "x", "t", **LAST),
            node("LayerNormalization", "t g b", "n", epsilon=1e-6),
            node("MatMul", "n w", "h"),
            node("Add", "s h", "i"),
            node("Gelu", "i", "a"),
            node("MatMul", "a v", "j"),
            node("Transpose", "j", "u", **FIRST),
            node("Mul", "l u", "m"),
            node("Add", "m x"),
        ],
        {
            "w": WIDE,
            "s": RNG.standard_normal(7).astype(np.float32),
            "v": BACK,
            "l": FOUR.reshape(4, 1, 1),
            **VECTORS,
        },
        ["layer_norm", "conv2d", "conv2d", "add"],
        {"opset": 20},
    ),
    "written out": (
        [
            node("Transpose", "x", "t", **LAST),
            node("ReduceMean", "t", "m", axes=[-1]),
            node("Sub", "t m", "d"),
            node("Pow", "d two", "q"),
            node("ReduceMean", "q", "v", axes=[-1]),
            node("Add", "v e", "w"),
            node("Sqrt", "w", "s"),
            node("Div", "d s", "n"),
            node("Mul", "n g", "o"),
            node("Add", "o b", "p"),
            node("Transpose", "p", **FIRST),
        ],
        {"two": np.array(2, np.float32), "e": np.array(1e-3, np.float32), **VECTORS},
        ["layer_norm"],
        {"opset": 11},
    ),
    "written out over axis 1": (
        [
            node("ReduceMean", "x a", "m"),
            node("Sub", "x m", "d"),
            node("Mul", "d d", "q"),
            node("ReduceMean", "q a", "v"),
            node("Add", "e v", "w"),
            node("Sqrt", "w", "s"),
            node("Div", "d s"),
        ],
        {"a": np.array([1]), "e": np.array([1e-3], np.float32)},
        ["layer_norm"],
        {"opset": 18},
    ),
    "a norm after a layer norm": (
        [node("LayerNormalization", "x g", "n"), node("Mul", "n b", "m"), node("Add", "m b")],
        VECTORS,
        ["layer_norm"],
        {"sizes": (2, 4)},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_equals_onnxruntime(case: str) -> None:
    nodes, arrays, kinds, options = CASES[case]
    graph = assert_reads(make_model(nodes, arrays, **options))
    assert [n.op.kind for n in graph.nodes] == kinds


def test_every_operator_has_a_case() -> None:
    used = {n.op_type for nodes, *_ in CASES.values() for n in nodes}
    assert set(HANDLERS) <= used


REFUSED = {
    "over rows": ([node("LayerNormalization", "x g")], {"g": FOUR}, "other axes than channels"),
    "over all": ([node("LayerNormalization", "x g", axis=1)], {"g": FOUR}, "other axes"),
    "a mean alone": (
        [node("ReduceMean", "x", "m", axes=[1]), node("Add", "x m")],
        {},
        "a step of a norm over channels",
    ),
    "another mean": (
        [
            node("Relu", "x", "r"),
            node("ReduceMean", "r", "m", axes=[1]),
            node("Sub", "x m"),
        ],
        {},
        "a step of a norm over channels",
    ),
    "squares of what is not centred": (
        [node("Mul", "x x", "q"), node("ReduceMean", "q", "m", axes=[1]), node("Sqrt", "m")],
        {},
        "inside of a layer norm only",
    ),
    "a root": ([node("Sqrt", "x")], {}, "inside of a layer norm only"),
    "of what it reads": (
        [node("Transpose", "x", "t", **LAST), node("LayerNormalization", "t t")],
        {},
        "depends on the network's input",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_graph_has_not(
    case: str, assert_refused: Callable[[ModelProto, str], None]
) -> None:
    nodes, arrays, message = REFUSED[case]
    assert_refused(make_model(nodes, arrays), message)
