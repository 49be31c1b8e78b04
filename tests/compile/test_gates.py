"""Squeeze and excite: gates in the weights of what reads them, in sums, and layers of one pixel."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossamer.compile.gates import weight_gates
from gossamer.graph import Dense, Graph, Input, Node, Sparse, interpret
from gossamer.graph.ops import Add, Conv2d, GlobalAvgPool, Multiply, Op
from gossamer.graph.verify import infer_shapes
from tests.compile.graphs import assert_equals_interpreter, program, sparse_array
from tests.compile.not_finite import assert_allowed

CHANNELS, SMALL = 12, 5


def excited(
    *ends: Node,
    size: tuple[int, int] = (14, 14),
    density: float = 0.3,
    output: str = "",
    seed: int = 0,
) -> Graph:
    """Return x → convolution `a` → its gate `g` → `m` = a · g → `ends`, weights 1×1 but `a`'s."""
    rng = np.random.default_rng(seed)
    nodes = (
        conv("a", "x"),
        node("mean", GlobalAvgPool(), "a"),
        conv("s", "mean", "relu"),
        conv("g", "s", "sigmoid"),
        node("m", Multiply(), "a", "g"),
        *ends,
    )
    shapes = {"a": (CHANNELS, 3, 3, 3), "s": (SMALL, CHANNELS, 1, 1), "g": (CHANNELS, SMALL, 1, 1)}
    weights = {
        n.name: Sparse.from_dense(
            sparse_array(rng, shapes.get(n.name, (CHANNELS, CHANNELS, 1, 1)), density)
        )
        for n in nodes
        if n.weights
    }
    bias = Dense(rng.standard_normal(CHANNELS).astype(np.float32))
    used = {name for n in nodes for name in n.weights.values()}
    weights |= {"bias": bias} if "bias" in used else {}
    return Graph(Input("x", (1, 3, *size)), nodes, output or nodes[-1].name, weights)


def conv(name: str, source: str, activation: str = "identity", **options: tuple) -> Node:
    padding = (1, 1, 1, 1) if name == "a" else (0, 0, 0, 0)
    op = Conv2d(padding=padding, activation=activation, **options)
    return Node(name, op, (source,), {"weight": name})


def node(name: str, op: Op, *inputs: str) -> Node:
    return Node(name, op, inputs, {})


def picture(graph: Graph, images: int = 1) -> np.ndarray:
    shape = (images, *graph.input.example[1:])
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def kernels(graph: Graph) -> list[str]:
    with program(graph) as compiled:
        return [step.kernel for step in compiled.plan_for(graph.input.example[1:]).reports]


READ = conv("y", "m", "relu")
IN_PLACE = (READ, conv("z", "y"), node("t", Add("relu"), "z", "y"))
ENDS = {
    "a layer": (READ,),
    "a layer with a stride": (conv("y", "m", stride=(2, 2)),),
    "a sum": (conv("b", "x3"), node("y", Add("relu"), "m", "b")),
    "a layer and a sum with what was gated": (conv("y", "m"), node("t", Add(), "y", "a")),
    "what was gated is written to before": (
        conv("b", "s3"), node("t", Add(), "a", "b"), conv("y", "m"), node("u", Add(), "y", "t"),
    ),
    "two layers": (READ, conv("z", "m"), node("t", Add(), "y", "z")),
    "sums behind": IN_PLACE,
}  # fmt: skip


def ends_of(name: str) -> tuple[Node, ...]:
    """Return the nodes of a case; what it calls x3 or s3 are values as large as the picture."""
    made = {"x3": conv("x3", "a", "relu"), "s3": conv("s3", "a", "relu")}
    ends = ENDS[name]
    extra = tuple(made[source] for source in made if any(source in n.inputs for n in ends))
    return (*extra, *ends)


@pytest.mark.parametrize("name", ENDS)
@pytest.mark.parametrize("lanes", [4, 16])
@pytest.mark.parametrize("size", [(1, 1), (7, 7), (14, 14), (5, 29)])
def test_results_stay(name: str, lanes: int, size: tuple[int, int]) -> None:
    graph = excited(*ends_of(name), size=size)
    for threads in (1, 2):
        assert_equals_interpreter(graph, picture(graph, 2), lanes=lanes, threads=threads)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    name=st.sampled_from(sorted(ENDS)),
    density=st.sampled_from([0.0, 0.05, 0.3, 0.6, 1.0]),
    size=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    lanes=st.sampled_from([4, 8, 16]),
    threads=st.sampled_from([1, 2]),
)
def test_random_blocks_equal_the_interpreter(
    seed: int, name: str, density: float, size: tuple[int, int], lanes: int, threads: int
) -> None:
    graph = excited(*ends_of(name), size=size, density=density, seed=seed)
    assert_equals_interpreter(graph, picture(graph), lanes=lanes, threads=threads)


def test_a_layer_takes_the_gate_over() -> None:
    found = kernels(excited(READ))
    assert any("gated" in kernel for kernel in found)
    assert not any(kernel.startswith("f32-gate") for kernel in found)


def test_a_sum_takes_the_gate_over() -> None:
    graph = excited(conv("b", "a", "relu"), node("y", Add("relu"), "m", "b"))
    assert "f32-gate_add-relu" in kernels(graph)
    assert "f32-gate-identity" not in kernels(graph)


def test_layers_of_one_pixel_are_linear() -> None:
    found = kernels(excited(READ))
    assert sum(kernel.startswith("f32-linear") for kernel in found) == 2
    assert not any("gather" in kernel or "unpack" in kernel for kernel in found[1:-1])


@pytest.mark.parametrize(
    "graph",
    [
        excited(READ, size=(2, 2)),
        excited(READ, density=0.9),
        excited(*ends_of("two layers")),
        excited(READ, output="m"),
        excited(*IN_PLACE[:1], conv("z", "y"), output="m"),
    ],
    ids=["few pixels", "dense", "two readers", "the output", "the output is read, too"],
)
def test_gates_that_stay_passes(graph: Graph) -> None:
    assert weight_gates(graph, infer_shapes(graph, graph.input.example)) == {}


def test_gates_that_weights_take_over() -> None:
    graph = excited(READ)
    found = weight_gates(graph, infer_shapes(graph, graph.input.example))
    assert {name: product.name for name, product in found.items()} == {"y": "m"}


@pytest.mark.parametrize("name", ["a layer", "a sum", "sums behind"])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), value=st.sampled_from([np.nan, np.inf, -np.inf]))
def test_what_is_not_finite_passes_through(name: str, seed: int, value: float) -> None:
    rng, graph = np.random.default_rng(seed), excited(*ends_of(name), size=(9, 9))
    x = picture(graph)
    x[rng.random(x.shape) < rng.choice([0.002, 0.05])] = value
    with program(graph, lanes=int(rng.choice([4, 8, 16]))) as compiled:
        assert_allowed(graph, x, compiled(x), 3e-5)


def test_threads_that_call_one_program_get_their_own_gates() -> None:
    graph = excited(READ)
    pictures = [scale * picture(graph) for scale in (0.01, 1.0, 3.0, -2.0)] * 4
    with program(graph) as compiled, ThreadPoolExecutor(4) as pool:
        for x, got in zip(pictures, pool.map(compiled, pictures), strict=True):
            expected = interpret(graph, x)
            assert np.abs(got - expected).max() <= 1e-5 * np.abs(expected).max()
