"""Every other operator equals the interpreter, alone and in small networks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gossamer.compile.lowering.lower import LOWERINGS
from gossamer.graph import Dense, Graph, Input, Node, Sparse, interpret
from gossamer.graph.interpret import MEANING
from gossamer.graph.ops import (
    ACTIVATIONS,
    COMPETITIONS,
    OPS,
    Activation,
    Add,
    AvgPool2d,
    ChannelPermute,
    ChannelSelect,
    Concat,
    Conv2d,
    Flatten,
    GlobalAvgPool,
    KWinners,
    LayerNorm,
    Linear,
    LocalResponseNorm,
    MaxPool2d,
    Multiply,
    Quantise,
    ScaleShift,
    Softmax,
    Threshold,
    shuffle_order,
)
from tests.compile.graphs import assert_equals_interpreter, program, single, sparse_array

relaxed = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def test_every_operator_has_a_meaning_and_a_lowering() -> None:
    assert set(OPS) == set(MEANING) == set(LOWERINGS)


@relaxed
@given(st.data())
def test_pooling(data: st.DataObject) -> None:
    kernel = (data.draw(st.integers(1, 6)), data.draw(st.integers(1, 6)))
    stride = (data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4)))
    half = [k // 2 for k in kernel]
    padding = tuple(data.draw(st.integers(0, half[a % 2])) for a in range(4))
    size = tuple(data.draw(st.integers(k, k + 20)) for k in kernel)
    ceil_mode = data.draw(st.booleans())
    if data.draw(st.booleans()):
        op = MaxPool2d(kernel, stride, padding, ceil_mode=ceil_mode)
    else:
        op = AvgPool2d(kernel, stride, padding, ceil_mode, data.draw(st.booleans()))
    x = np.random.default_rng(1).standard_normal((1, 3, *size)).astype(np.float32)
    assert_equals_interpreter(single(op, x.shape), x, lanes=data.draw(st.sampled_from([4, 8, 16])))


@relaxed
@given(
    st.integers(1, 70),
    st.integers(1, 50),
    st.sampled_from([0.0, 0.01, 0.5, 1.0]),
    st.sampled_from([4, 8, 16]),
    st.booleans(),
    st.integers(1, 3),
)
def test_linear(
    features: int, outputs: int, density: float, lanes: int, measure: bool, threads: int
) -> None:
    rng = np.random.default_rng(features)
    weights = {
        "weight": sparse_array(rng, (outputs, features), density),
        "bias": rng.standard_normal(outputs).astype(np.float32),
        "scale": rng.standard_normal(outputs).astype(np.float32),
    }
    graph = single(Linear("relu"), (1, features), **weights)
    x = rng.standard_normal((3, features)).astype(np.float32)
    assert_equals_interpreter(graph, x, lanes=lanes, measure=measure, threads=threads)


@pytest.mark.parametrize("shape", [(1, 6, 5, 7), (1, 6)])
@pytest.mark.parametrize(
    "op",
    [
        *(Activation(f) for f in ACTIVATIONS),
        Activation("leaky_relu(0.1)"),
        Add("relu"),
        Multiply(),
        ScaleShift(),
    ],
    ids=repr,
)
def test_entry_by_entry(op: object, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    weights = {r: rng.standard_normal(6).astype(np.float32) for r in op.roles}
    assert_equals_interpreter(
        single(op, shape, **weights), 5 * rng.standard_normal(shape).astype(np.float32)
    )


@pytest.mark.parametrize("shape", [(2, 6, 5, 7), (2, 600)])
@pytest.mark.parametrize(
    "op", [Quantise(0.03125), Quantise(0.5, 3, 0, 200), Quantise(2.0, 0, 0, 15)]
)
def test_rounding_to_levels(op: Quantise, shape: tuple[int, ...]) -> None:
    """Halves to even; the ends are clipped; what is not a number stays so."""
    x = 5 * np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    x.ravel()[:9] = [np.nan, np.inf, -np.inf, 0.25, 0.75, 1.25, -0.25, -0.75, 1e30]
    graph = single(op, shape)
    with program(graph) as compiled:
        np.testing.assert_array_equal(compiled(x), interpret(graph, x))


ODD = [np.nan, np.inf, -np.inf, 0.5, -0.0, 0.0, -1e-40, 3e38]


@pytest.mark.parametrize("shape", [(2, 6, 5, 7), (2, 600)])
def test_thresholds(shape: tuple[int, ...]) -> None:
    """What equals its threshold goes; what is not a number stays."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(np.float32)
    x.ravel()[: len(ODD)] = ODD
    threshold = rng.choice([-0.25, 0.0, 0.5], shape[1]).astype(np.float32)
    graph = single(Threshold(), shape, threshold=threshold)
    with program(graph) as compiled:
        np.testing.assert_array_equal(compiled(x), interpret(graph, x))


@relaxed
@given(
    st.integers(0, 2**31),
    st.sampled_from([(2, 6, 5, 7), (1, 1, 1, 1), (2, 40), (1, 17, 2, 9)]),
    st.sampled_from(COMPETITIONS),
    st.sampled_from([0.001, 0.3, 0.5, 1.0]),
    st.booleans(),
    st.integers(1, 2),
)
def test_k_winners(
    seed: int, shape: tuple[int, ...], over: str, density: float, ties: bool, threads: int
) -> None:
    rng = np.random.default_rng(seed)
    x = 2 * rng.standard_normal(shape)
    x = (np.round(x) if ties else x).astype(np.float32)
    odd = rng.random(shape) < 0.1
    x[odd] = rng.choice(ODD, int(odd.sum()))
    graph = single(KWinners(density, over), shape)
    with program(graph, threads=threads) as compiled:
        np.testing.assert_array_equal(compiled(x), interpret(graph, x))


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (16, 16), (9, 31)])
def test_mean_of_planes(size: tuple[int, int]) -> None:
    x = np.random.default_rng(0).standard_normal((2, 5, *size)).astype(np.float32)
    assert_equals_interpreter(single(GlobalAvgPool(), x.shape), x)


def test_permutation_alone_reorders_channels() -> None:
    x = np.random.default_rng(0).standard_normal((2, 6, 3, 4)).astype(np.float32)
    assert_equals_interpreter(single(ChannelPermute(shuffle_order(6, 3)), x.shape), x)


@pytest.mark.parametrize("order", [(0,), (1, 2, 3), (-1, 4, 4, -1, -1, 0), (-1,)])
@pytest.mark.parametrize("shape", [(2, 5, 3, 4), (2, 5)])
def test_selected_channels(order: tuple[int, ...], shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    assert_equals_interpreter(single(ChannelSelect(order), shape), x)


@relaxed
@given(
    st.integers(1, 40),
    st.sampled_from([(5, 7), (1, 1), (13, 2), ()]),
    st.sampled_from([4, 8, 16]),
    st.integers(1, 3),
)
def test_layer_norm(channels: int, size: tuple[int, ...], lanes: int, threads: int) -> None:
    """Also of pixels whose mean is larger than what differs, and of equal channels."""
    rng = np.random.default_rng(channels)
    x = (rng.standard_normal((2, channels, *size)) + rng.choice([0, 5])).astype(np.float32)
    x[0] = x[0, :1]
    weights = {r: rng.standard_normal(channels).astype(np.float32) for r in LayerNorm.roles}
    graph = single(LayerNorm(0.01), x.shape, **weights)
    assert_equals_interpreter(graph, x, lanes=lanes, threads=threads)


@pytest.mark.parametrize("size", [1, 2, 5, 40])
@pytest.mark.parametrize("beta", [0.75, 0.6])
def test_local_response_norm(size: int, beta: float) -> None:
    x = np.random.default_rng(0).standard_normal((2, 7, 5, 6)).astype(np.float32)
    assert_equals_interpreter(single(LocalResponseNorm(size, 0.5, beta, 2.0), x.shape), x)


def test_a_gate_gives_each_channel_a_factor() -> None:
    """Squeeze and excite: mean, two layers, and the product with what was averaged."""
    rng = np.random.default_rng(0)
    nodes = (
        Node("mean", GlobalAvgPool(), ("x",)),
        Node("squeeze", Conv2d(activation="relu"), ("mean",), {"weight": "squeeze"}),
        Node("excite", Conv2d(activation="sigmoid"), ("squeeze",), {"weight": "excite"}),
        Node("gated", Multiply(), ("x", "excite")),
    )
    weights = {
        "squeeze": Dense(rng.standard_normal((2, 6, 1, 1))),
        "excite": Dense(rng.standard_normal((6, 2, 1, 1))),
    }
    x = rng.standard_normal((2, 6, 9, 5)).astype(np.float32)
    assert_equals_interpreter(Graph(Input("x", x.shape), nodes, "gated", weights), x)


def test_concat_of_one_value_with_itself() -> None:
    node = Node("y", Concat(), ("x", "x", "x"))
    for shape in ((1, 3, 5, 5), (1, 7)):
        x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
        assert_equals_interpreter(Graph(Input("x", shape), (node,), "y", {}), x)


@relaxed
@given(st.integers(0, 2**31), st.integers(5, 30), st.integers(5, 30), st.sampled_from([4, 8, 16]))
def test_random_networks(seed: int, height: int, width: int, lanes: int) -> None:
    """Branches, residuals, concats, permutations and norm layers in random order."""
    rng = np.random.default_rng(seed)
    nodes, weights, channels, value = [], {}, 4, "x"
    shape = (1, channels, height, width)
    for index in range(int(rng.integers(2, 7))):
        made = _random_node(rng, f"n{index}", value, channels, weights)
        nodes += made
        value = made[-1].name
        channels = _channels(made[-1], channels, weights)
    nodes += [Node("mean", GlobalAvgPool(), (value,)), Node("flat", Flatten(), ("mean",))]
    weights["last"] = Sparse.from_dense(sparse_array(rng, (3, channels), 0.5))
    nodes.append(Node("out", Linear(), ("flat",), {"weight": "last"}))
    graph = Graph(Input("x", shape), tuple(nodes), "out", weights)
    from gossamer.errors import ShapeError
    from gossamer.graph.verify import verify

    try:
        verify(graph)
    except ShapeError:
        assume(False)
    x = rng.standard_normal(shape).astype(np.float32)
    assert_equals_interpreter(graph, x, lanes=lanes)


def _random_node(
    rng: np.random.Generator, name: str, value: str, channels: int, weights: dict
) -> list[Node]:
    kind = rng.choice(["conv", "pool", "residual", "concat", "permute", "norm", "mean-pool"])
    if kind == "pool":
        return [
            Node(
                name,
                MaxPool2d((3, 3), (2, 2), (1, 1, 1, 1), ceil_mode=bool(rng.integers(2))),
                (value,),
            )
        ]
    if kind == "mean-pool":
        return [Node(name, AvgPool2d((2, 2), (2, 2), ceil_mode=bool(rng.integers(2))), (value,))]
    if kind == "permute":
        return [
            Node(name, ChannelPermute(tuple(int(i) for i in rng.permutation(channels))), (value,))
        ]
    if kind == "norm":
        for role in ("scale", "shift"):
            weights[f"{name}.{role}"] = Dense(rng.standard_normal(channels))
        return [Node(name, ScaleShift(), (value,), {r: f"{name}.{r}" for r in ("scale", "shift")})]
    outputs = channels if kind == "residual" else int(rng.choice([4, 8]))
    stride = 1 if kind in ("residual", "concat") else int(rng.integers(1, 3))
    weights[name] = Sparse.from_dense(
        sparse_array(rng, (outputs, channels, 3, 3), float(rng.choice([0.1, 0.5, 1])))
    )
    conv = Conv2d((stride, stride), (1, 1, 1, 1), activation="relu")
    first = Node(f"{name}.conv" if kind != "conv" else name, conv, (value,), {"weight": name})
    if kind == "residual":
        return [first, Node(name, Add("relu"), (value, first.name))]
    if kind == "concat":
        return [first, Node(name, Concat(), (first.name, value))]
    return [first]


def _channels(node: Node, channels: int, weights: dict) -> int:
    if isinstance(node.op, Conv2d):
        return weights[node.weights["weight"]].shape[0]
    if isinstance(node.op, Concat):
        return channels + weights[node.name].shape[0]
    return channels


@pytest.mark.parametrize("stride", [5, 4096])
def test_strides_beyond_the_picture_cost_nothing(stride: int) -> None:
    pool = MaxPool2d((1, 1), (stride, stride))
    nodes = [Node(f"n{i}", pool, (f"n{i - 1}" if i else "x",)) for i in range(4)]
    x = np.random.default_rng(0).standard_normal((1, 2, 4, 4)).astype(np.float32)
    graph = Graph(Input("x", x.shape), tuple(nodes), "n3", {})
    assert_equals_interpreter(graph, x)
    with program(graph) as compiled:
        assert compiled.plan_for((2, 4, 4)).arena.nbytes < 10_000


def test_many_strides_in_a_row() -> None:
    pool = MaxPool2d((2, 2), (2, 2), ceil_mode=True)
    nodes = [Node(f"n{i}", pool, (f"n{i - 1}" if i else "x",)) for i in range(4)]
    x = np.random.default_rng(0).standard_normal((1, 2, 37, 21)).astype(np.float32)
    assert_equals_interpreter(Graph(Input("x", x.shape), tuple(nodes), "n3", {}), x)


@pytest.mark.parametrize("shape", [(1, 7), (1, 1, 3, 3), (2, 5, 1, 4), (1, 1000)])
@pytest.mark.parametrize("scale", [1.0, 80.0])
def test_softmax(shape: tuple[int, ...], scale: float) -> None:
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32) * scale
    assert_equals_interpreter(single(Softmax(), shape), x)
    assert_equals_interpreter(single(Softmax(), shape), x, threads=2, lanes=4)


def test_softmax_over_many_like_channels() -> None:
    x = np.random.default_rng(0).uniform(0, 0.01, (1, 40_000)).astype(np.float32)
    with program(single(Softmax(), x.shape)) as compiled:
        np.testing.assert_allclose(compiled(x), interpret(compiled.graph, x), rtol=1e-6)
