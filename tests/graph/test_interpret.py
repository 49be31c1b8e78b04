"""The interpreter against torch.nn.functional, for every operator over random shapes."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch.nn import functional as F

from gossamer.errors import ShapeError
from gossamer.graph import Dense, Graph, Input, Node, interpret, ops
from gossamer.graph.interpret import MEANING

SEED = st.integers(0, 2**32 - 1)
SIZE = st.integers(1, 9)
FEW = st.integers(1, 3)


FUNCTIONS = {
    "identity": lambda t: t,
    "relu": F.relu,
    "relu6": F.relu6,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "silu": F.silu,
    "hard_sigmoid": F.hardsigmoid,
    "hard_swish": F.hardswish,
    "erf": torch.erf,
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "leaky_relu(0.1)": partial(F.leaky_relu, negative_slope=0.1),
}


def run(op: ops.Op, *inputs: np.ndarray, **weights: np.ndarray) -> np.ndarray:
    """Run one operator whose first input is the network's, further inputs being sums with it."""
    assert len(inputs) == 1
    roles = {role: role for role in weights}
    node = Node("y", op, ("x",) * max(op.arity, 1), roles)
    layouts = {role: Dense(array) for role, array in weights.items()}
    return interpret(Graph(Input("x", inputs[0].shape), (node,), "y", layouts), inputs[0])


def same(ours: np.ndarray, theirs: torch.Tensor) -> None:
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-4, atol=1e-5)


def fits(op: ops.Op, x: np.ndarray, **weights: np.ndarray) -> bool:
    try:
        op.output_shape([x.shape], {role: array.shape for role, array in weights.items()})
    except ShapeError:
        return False
    return True


def test_every_operator_has_a_meaning() -> None:
    assert set(MEANING) == set(ops.OPS)


@given(
    SEED,
    st.tuples(SIZE, SIZE),
    st.tuples(FEW, FEW),
    st.tuples(FEW, FEW),
    st.tuples(FEW, FEW),
    st.tuples(*[st.integers(0, 3)] * 4),
    st.sampled_from([(1, 1, 1), (1, 3, 2), (2, 2, 3), (4, 1, 1), (3, 1, 2)]),
    st.sampled_from(list(FUNCTIONS)),
    st.booleans(),
    st.booleans(),
)
def test_conv2d(
    seed: int,
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    padding: tuple[int, int, int, int],
    grouping: tuple[int, int, int],
    activation: str,
    bias: bool,
    scale: bool,
) -> None:
    rng = np.random.default_rng(seed)
    groups, inner, outer = grouping
    x = rng.standard_normal((2, groups * inner, *size)).astype(np.float32)
    weights = {"weight": rng.standard_normal((groups * outer, inner, *kernel)).astype(np.float32)}
    if bias:
        weights["bias"] = rng.standard_normal(groups * outer).astype(np.float32)
    if scale:
        weights["scale"] = rng.standard_normal(groups * outer).astype(np.float32)
    op = ops.Conv2d(stride, padding, dilation, groups, activation)
    assume(fits(op, x, **weights))
    top, left, bottom, right = padding
    padded = F.pad(torch.tensor(x), (left, right, top, bottom))
    weight = torch.tensor(weights["weight"])
    expected = F.conv2d(padded, weight, None, stride, 0, dilation, groups)
    for role, combine in (("scale", torch.mul), ("bias", torch.add)):
        if role in weights:
            expected = combine(expected, torch.tensor(weights[role]).view(-1, 1, 1))
    same(run(op, x, **weights), FUNCTIONS[activation](expected))


@given(SEED, SIZE, SIZE, SIZE, st.booleans())
def test_linear(seed: int, n: int, features: int, k: int, bias: bool) -> None:
    rng = np.random.default_rng(seed)
    x, weight = rng.standard_normal((n, features)), rng.standard_normal((k, features))
    weights = {"weight": weight, **({"bias": rng.standard_normal(k)} if bias else {})}
    tensors = [torch.tensor(a).float() for a in (x, *weights.values())]
    same(run(ops.Linear(), x.astype(np.float32), **weights), F.linear(*tensors))


@given(SEED, st.booleans())
def test_scale_shift_is_a_norm_in_evaluation(seed: int, picture: bool) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2, 3, 4, 5) if picture else (2, 3)).astype(np.float32)
    gamma, beta, mean = rng.standard_normal((3, 3)).astype(np.float32)
    var = rng.uniform(0.5, 2, 3).astype(np.float32)
    scale = gamma / np.sqrt(var + 1e-5)
    tensors = [torch.tensor(a) for a in (x, mean, var, gamma, beta)]
    expected = F.batch_norm(*tensors)
    same(run(ops.ScaleShift(), x, scale=scale, shift=beta - mean * scale), expected)


POOLS = {
    "size": st.tuples(SIZE, SIZE),
    "kernel": st.tuples(FEW, FEW),
    "stride": st.tuples(FEW, FEW),
    "halves": st.tuples(st.booleans(), st.booleans()),
    "ceil_mode": st.booleans(),
}


@given(seed=SEED, dilation=st.tuples(FEW, FEW), **POOLS)
def test_max_pool2d(seed, dilation, size, kernel, stride, halves, ceil_mode) -> None:
    x = np.random.default_rng(seed).standard_normal((2, 3, *size)).astype(np.float32)
    half = tuple(kernel[a] // 2 * halves[a] for a in (0, 1))
    op = ops.MaxPool2d(kernel, stride, (*half, *half), dilation, ceil_mode)
    assume(fits(op, x))
    expected = F.max_pool2d(torch.tensor(x), kernel, stride, half, dilation, ceil_mode)
    np.testing.assert_array_equal(run(op, x), expected.numpy())


@given(seed=SEED, count_include_pad=st.booleans(), **POOLS)
def test_avg_pool2d(seed, count_include_pad, size, kernel, stride, halves, ceil_mode) -> None:
    x = np.random.default_rng(seed).standard_normal((2, 3, *size)).astype(np.float32)
    half = tuple(kernel[a] // 2 * halves[a] for a in (0, 1))
    op = ops.AvgPool2d(kernel, stride, (*half, *half), ceil_mode, count_include_pad)
    assume(fits(op, x))
    same(
        run(op, x),
        F.avg_pool2d(torch.tensor(x), kernel, stride, half, ceil_mode, count_include_pad),
    )


@given(SEED, st.tuples(*[st.integers(0, 1)] * 4))
def test_pools_pad_each_side_by_itself(seed: int, padding: tuple[int, int, int, int]) -> None:
    x = np.random.default_rng(seed).standard_normal((1, 2, 5, 4)).astype(np.float32)
    top, left, bottom, right = padding
    sides = (left, right, top, bottom)
    low = F.pad(torch.tensor(x), sides, value=-torch.inf)
    largest = run(ops.MaxPool2d((3, 2), (2, 1), padding), x)
    np.testing.assert_array_equal(largest, F.max_pool2d(low, (3, 2), (2, 1)).numpy())
    zeros = F.pad(torch.tensor(x), sides)
    same(run(ops.AvgPool2d((3, 2), (2, 1), padding), x), F.avg_pool2d(zeros, (3, 2), (2, 1)))


@given(SEED, st.tuples(SIZE, SIZE))
def test_global_avg_pool(seed: int, size: tuple[int, int]) -> None:
    x = np.random.default_rng(seed).standard_normal((2, 3, *size)).astype(np.float32)
    same(run(ops.GlobalAvgPool(), x), F.adaptive_avg_pool2d(torch.tensor(x), 1))


@given(SEED, st.sampled_from(list(FUNCTIONS)))
def test_activation(seed: int, function: str) -> None:
    x = (8 * np.random.default_rng(seed).standard_normal((2, 3, 4, 5))).astype(np.float32)
    x[0, 0, 0] = np.nan
    same(run(ops.Activation(function), x), FUNCTIONS[function](torch.tensor(x)))


@given(SEED, st.integers(1, 4), st.integers(1, 4))
def test_channel_permute_is_the_torch_shuffle(seed: int, groups: int, width: int) -> None:
    c = groups * width
    x = np.random.default_rng(seed).standard_normal((2, c, 3, 2)).astype(np.float32)
    order = ops.shuffle_order(c, groups)
    theirs = torch.tensor(x).view(2, groups, width, 3, 2).transpose(1, 2).reshape(2, c, 3, 2)
    np.testing.assert_array_equal(run(ops.ChannelPermute(order), x), theirs.numpy())


@given(SEED, st.integers(2, 9), st.sampled_from([1e-6, 0.1]))
def test_layer_norm(seed: int, channels: int, epsilon: float) -> None:
    rng = np.random.default_rng(seed)
    x = (rng.standard_normal((2, channels, 3, 4)) + 3).astype(np.float32)
    scale, shift = rng.standard_normal((2, channels)).astype(np.float32)
    last = torch.tensor(x).permute(0, 2, 3, 1)
    vectors = torch.tensor(scale), torch.tensor(shift)
    expected = F.layer_norm(last, (channels,), *vectors, epsilon).permute(0, 3, 1, 2)
    ours = run(ops.LayerNorm(epsilon), x, scale=scale, shift=shift)
    np.testing.assert_allclose(ours, expected.numpy(), rtol=1e-4, atol=1e-4)


@given(SEED, st.integers(1, 6), st.sampled_from([1e-4, 0.5]), st.sampled_from([0.75, 1.0]))
def test_local_response_norm(seed: int, size: int, alpha: float, beta: float) -> None:
    x = np.random.default_rng(seed).standard_normal((2, 5, 3, 2)).astype(np.float32)
    expected = F.local_response_norm(torch.tensor(x), size, alpha, beta, 2.0)
    same(run(ops.LocalResponseNorm(size, alpha, beta, 2.0), x), expected)


SHAPES = st.sampled_from([(2, 3, 4, 5), (1, 1, 1, 1), (3, 7)])
DENSITY = st.sampled_from([0.001, 0.25, 0.3, 0.5, 1.0])


@given(SEED, SHAPES)
def test_threshold_is_the_torch_one_with_a_limit_a_channel(seed: int, shape: tuple) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(-3, 4, shape).astype(np.float32)
    x.ravel()[:1] = np.nan
    limits = rng.integers(-3, 4, shape[1])
    y = run(ops.Threshold(), x, threshold=limits.astype(np.float32))
    for channel, limit in enumerate(limits):
        theirs = F.threshold(torch.tensor(x[:, channel]), float(limit), 0.0)
        np.testing.assert_array_equal(y[:, channel], theirs.numpy())


@given(SEED, SHAPES, st.sampled_from(ops.COMPETITIONS), DENSITY)
def test_exactly_k_win_and_the_first_of_equal_ones(
    seed: int, shape: tuple, over: str, density: float
) -> None:
    x = np.random.default_rng(seed).integers(1, 4, shape).astype(np.float32)
    y = run(ops.KWinners(density, over), x)
    entries = x.reshape(*shape[:2], -1)
    axes = {"channels": (1,), "map": (2,), "image": (1, 2)}[over]
    size = int(np.prod([entries.shape[axis] for axis in axes]))
    count = max(1, int(np.ceil(round(density * size, 6))))
    assert (np.count_nonzero(y.reshape(entries.shape), axis=axes) == count).all()
    assert (y[y != 0] == x[y != 0]).all()
    for line, kept in zip(*(_lines(a.reshape(entries.shape), over) for a in (x, y)), strict=True):
        expected = sorted(range(size), key=lambda i: (-line[i], i))[:count]
        assert sorted(expected) == np.flatnonzero(kept).tolist()


def _lines(array: np.ndarray, over: str) -> np.ndarray:
    """Return (lines, n): a row for each set of entries that compete."""
    if over == "image":
        return array.reshape(len(array), -1)
    return (array.swapaxes(1, 2) if over == "channels" else array).reshape(
        -1, array.shape[1 if over == "channels" else 2]
    )


def test_nan_is_the_largest() -> None:
    x = np.array([[1, np.nan, np.inf, -np.inf, 2]], np.float32)
    np.testing.assert_array_equal(run(ops.KWinners(0.4), x), [[0, np.nan, np.inf, 0, 0]])


def test_channel_select(rng: np.random.Generator) -> None:
    x = rng.standard_normal((2, 3, 4, 5)).astype(np.float32)
    y = run(ops.ChannelSelect((2, -1, 0, 2)), x)
    np.testing.assert_array_equal(y[:, [0, 2, 3]], x[:, [2, 0, 2]])
    assert not y[:, 1].any()


@given(SEED, st.booleans())
def test_softmax(seed: int, picture: bool) -> None:
    x = np.random.default_rng(seed).standard_normal((2, 5, 3, 2) if picture else (2, 5))
    x = (30 * x).astype(np.float32)
    same(run(ops.Softmax(), x), torch.softmax(torch.tensor(x), 1))


LEVELS = st.sampled_from([(0, -128, 127), (128, 0, 255), (0, 0, 255), (3, -8, 7)])


@given(SEED, st.floats(2.0**-9, 0.5, width=32), LEVELS)
def test_quantise_is_fake_quantisation(seed: int, scale: float, levels: tuple) -> None:
    zero, low, high = levels
    x = np.random.default_rng(seed).standard_normal((2, 3, 4, 5)).astype(np.float32)
    got = run(ops.Quantise(scale, zero, low, high), x)
    exact = np.rint(x.astype(np.float64) / scale)
    ties = np.abs(np.abs(x.astype(np.float64) / scale % 1) - 0.5) < 1e-5
    expected = (np.clip(exact + zero, low, high) - zero) * scale
    np.testing.assert_allclose(got[~ties], expected[~ties], rtol=1e-6)
    assert (np.abs(got - expected)[ties] <= 1.001 * scale).all()


def test_quantise_rounds_halves_to_even_and_keeps_its_levels() -> None:
    x = np.array([[-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, np.inf, -np.inf, np.nan]], np.float32)
    got = run(ops.Quantise(1.0, 1, -2, 3), x)
    np.testing.assert_array_equal(got, [[-2, -2, 0, 0, 2, 2, 2, -3, np.nan]])
    for scale in np.float32([0.1, 1 / 3, 1e-20, 7e10]):
        op = ops.Quantise(float(scale), 0, -128, 127)
        grid = (np.arange(-128, 128, dtype=np.float32) * scale)[None]
        np.testing.assert_array_equal(run(op, grid), grid)


def test_without_rounding_levels_only_limit() -> None:
    graph = Graph(Input("x", (1, 4)), (Node("q", ops.Quantise(0.5, 1, 0, 9), ("x",)),), "q", {})
    x = np.array([[-7.0, -0.3, 1.3, 9.0]], np.float32)
    expected = np.array([[-0.5, -0.3, 1.3, 4.0]], np.float32)
    assert np.array_equal(interpret(graph, x, rounding=False), expected)


@pytest.mark.parametrize("gate", ["y", "g", "f"])
def test_multiply(gate: str, rng: np.random.Generator) -> None:
    x = rng.standard_normal((2, 3, 4, 5)).astype(np.float32)
    nodes = (
        Node("y", ops.Activation("sigmoid"), ("x",)),
        Node("g", ops.GlobalAvgPool(), ("y",)),
        Node("f", ops.Flatten(), ("g",)),
        Node("z", ops.Multiply(), ("x", gate)),
    )
    factor = torch.sigmoid(torch.tensor(x))
    if gate in "gf":
        factor = factor.mean((2, 3), keepdim=True)
    same(interpret(Graph(Input("x", x.shape), nodes, "z", {}), x), torch.tensor(x) * factor)


def test_add_concat_flatten(rng: np.random.Generator) -> None:
    x = rng.standard_normal((2, 3, 4, 5)).astype(np.float32)
    np.testing.assert_array_equal(run(ops.Add("relu"), x), np.maximum(x + x, 0))
    graph = Graph(
        Input("x", x.shape),
        (
            Node("y", ops.Activation("relu"), ("x",)),
            Node("z", ops.Concat(), ("x", "y", "x")),
            Node("f", ops.Flatten(), ("z",)),
        ),
        "f",
        {},
    )
    expected = np.concatenate([x, np.maximum(x, 0), x], axis=1).reshape(2, -1)
    np.testing.assert_array_equal(interpret(graph, x), expected)


def test_values_are_handed_out_by_name(rng: np.random.Generator) -> None:
    x = rng.standard_normal((1, 2, 3, 3)).astype(np.float32)
    graph = Graph(Input("x", x.shape), (Node("y", ops.GlobalAvgPool(), ("x",)),), "y", {})
    values: dict[str, np.ndarray] = {}
    output = interpret(graph, x, values=values)
    assert list(values) == ["x", "y"]
    assert values["y"] is output


def test_refuses_an_input_of_another_shape() -> None:
    graph = Graph(Input("x", (1, 2, 3, 3)), (Node("y", ops.GlobalAvgPool(), ("x",)),), "y", {})
    with pytest.raises(ShapeError, match="does not take this input"):
        interpret(graph, np.zeros((1, 3, 3, 3), np.float32))


def test_infinities_pass_without_warnings() -> None:
    x = np.full((1, 1, 2, 2), 1e38, np.float32)
    weight = np.full((1, 1, 1, 1), 1e38, np.float32)
    assert np.isinf(run(ops.Conv2d(), x, weight=weight)).all()


def test_values_that_are_given_are_read() -> None:
    nodes = (Node("a", ops.Activation("relu"), ("x",)), Node("b", ops.Add(), ("a", "x")))
    graph = Graph(Input("x", (1, 2)), nodes, "b", {})
    x, values = np.array([[1.0, -2.0]], np.float32), {}
    found = interpret(graph, x, values=values, given={"a": np.array([[10.0, 20.0]], np.float32)})
    assert found.tolist() == [[11.0, 18.0]]
    assert values["a"].tolist() == [[1.0, 0.0]]  # what was computed


def test_float64_rounds_nothing_to_float32() -> None:
    weight = np.float32([[1 / 3]])
    node = Node("y", ops.Linear(), ("x",), {"weight": "w"})
    graph = Graph(Input("x", (1, 1)), (node,), "y", {"w": Dense(weight)})
    x = np.array([[1 / 7]])
    exact = interpret(graph, x, dtype=np.float64)
    assert exact.dtype == np.float64
    assert exact == x * weight.astype(np.float64)
    assert interpret(graph, x).dtype == np.float32
