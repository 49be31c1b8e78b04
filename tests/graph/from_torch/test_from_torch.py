"""Modules become graphs that mean the same, or an error that names the operator and its place."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gossamer.errors import GossamerError, ShapeError, UnsupportedOperatorError
from gossamer.graph import Graph, interpret, ops
from gossamer.graph.check import distance
from gossamer.graph.from_torch import from_torch


class Body(nn.Module):
    """A network of one function, with a few layers at hand."""

    def __init__(self, function: Callable[[Body, Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.linear = nn.Linear(4 * 64, 3)
        self.mask = nn.Buffer((torch.arange(144) % 3 > 0).float().view(4, 4, 3, 3))
        self.level = nn.Parameter(torch.tensor([1.0, -2.0, 0.5, 3.0]))

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


def randomise(model: nn.Module) -> nn.Module:
    """Give norms statistics that an untrained network has not."""
    torch.manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            if module.affine:
                nn.init.normal_(module.weight)
                nn.init.normal_(module.bias)
    return model


def check(model: nn.Module, shape: tuple[int, ...], other: tuple[int, ...] | None = None) -> Graph:
    """Convert, compare at the example's and at another size, and return the graph."""
    randomise(model)
    graph = from_torch(model, torch.randn(shape))
    for size in (shape, other or shape):
        x = torch.randn(size)
        with torch.no_grad():
            expected = model.eval()(x.clone()).numpy()
        assert distance(interpret(graph, x.numpy()), expected) < 1e-5
    return graph


def kinds(graph: Graph) -> list[str]:
    return [node.op.kind for node in graph.nodes]


SAME_MEANING: dict[str, tuple[Callable[[Body, Tensor], Tensor], list[str]]] = {
    "padding same": (
        lambda m, x: F.conv2d(x, m.mask[:, :, :2], padding="same", dilation=(1, 2)),
        ["conv2d"],
    ),
    "padding valid": (lambda m, x: F.conv2d(x, m.mask, padding="valid"), ["conv2d"]),
    "explicit padding": (lambda m, x: m.conv(F.pad(x, (0, 1, 2, 3))), ["conv2d"]),
    "padding alone": (lambda m, x: F.pad(x, (1, 2)).relu(), ["conv2d", "activation"]),
    "masked weight": (lambda m, x: F.conv2d(x, m.conv.weight * m.mask, m.conv.bias), ["conv2d"]),
    "norm without affine": (
        lambda m, x: F.batch_norm(x, m.norm.running_mean, m.norm.running_var),
        ["scale_shift"],
    ),
    "relu6 three ways": (
        lambda m, x: F.hardtanh(F.relu6(7 * x), 0, 6).clamp(0, 6),
        ["scale_shift", *["activation"] * 3],
    ),
    "relu four ways": (
        lambda m, x: F.relu(F.relu(x.clone().clamp_min(0), inplace=True)).clamp(min=0),
        ["activation"] * 4,
    ),
    "leaky relu three ways": (
        lambda m, x: F.leaky_relu(
            F.leaky_relu(F.prelu(x.clone(), m.norm.eps * torch.ones(4)), 0.1, inplace=True), 2.0
        ),
        ["activation"] * 3,
    ),
    "gelu and erf": (
        lambda m, x: torch.erf(F.gelu(F.gelu(3 * x), approximate="tanh")),
        ["scale_shift", *["activation"] * 3],
    ),
    "arithmetic with constants": (
        lambda m, x: 2 - (x - m.level.view(4, 1, 1)) * -1 / m.level[:, None, None] + 0.5,
        None,
    ),
    "dropout and copies": (
        lambda m, x: F.dropout(x.contiguous().clone(), training=m.training) + x,
        ["add"],
    ),
    "max pool": (
        lambda m, x: F.max_pool2d(x, 3, 2, 1, ceil_mode=True),
        ["max_pool2d"],
    ),
    "avg pool": (
        lambda m, x: F.avg_pool2d(x, (2, 3), padding=1, count_include_pad=False),
        ["avg_pool2d"],
    ),
    "adaptive pool to one": (lambda m, x: F.adaptive_avg_pool2d(x, 1), ["global_avg_pool"]),
    "mean": (lambda m, x: x.mean((-1, -2)), ["global_avg_pool", "flatten"]),
    "mean that keeps axes": (lambda m, x: x.mean([2, 3], keepdim=True), ["global_avg_pool"]),
    "squeezed one by one": (
        lambda m, x: F.adaptive_avg_pool2d(x, 1).squeeze(-1).squeeze(-1),
        ["global_avg_pool", "flatten"],
    ),
    "indexed to a vector": (
        lambda m, x: x.mean((2, 3), keepdim=True)[:, :, 0, 0],
        ["global_avg_pool", "flatten"],
    ),
    "view to (N, -1)": (lambda m, x: x.view(x.size(0), -1), ["flatten"]),
    "concatenation": (lambda m, x: torch.cat([x, m.conv(x), x], dim=1), ["conv2d", "concat"]),
    "shuffle": (
        lambda m, x: x.view(x.size(0), 2, 2, *x.shape[2:]).transpose(1, 2).reshape(x.shape),
        ["channel_permute"],
    ),
    "shuffle by permute": (
        lambda m, x: x.unflatten(1, (2, 2)).permute(0, 2, 1, 3, 4).flatten(1, 2),
        ["channel_permute"],
    ),
    "shuffle of a vector": (
        lambda m, x: x.mean((2, 3)).view(-1, 2, 2).transpose(2, 1).flatten(1),
        ["global_avg_pool", "flatten", "channel_permute"],
    ),
    "two transpositions": (
        lambda m, x: x.unflatten(1, (2, 2)).transpose(1, 2).transpose(1, 2).flatten(1, 2),
        [],
    ),
    "index by a list": (lambda m, x: x[:, [2, 0, 3, 1]], ["channel_permute"]),
    "index_select": (
        lambda m, x: x.index_select(1, torch.tensor([3, 2, 1, 0])),
        ["channel_permute"],
    ),
    "index with repetition": (lambda m, x: x[:, [0, 0, -1]], ["channel_select"]),
    "chunks": (
        lambda m, x: torch.cat(x.chunk(2, 1)[::-1], 1),
        ["channel_select", "channel_select", "concat"],
    ),
    "channel range": (lambda m, x: x[:, 1:3], ["channel_select"]),
    "shortcut of option A": (
        lambda m, x: F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 2, 2)),
        ["max_pool2d", "max_pool2d", "channel_select"],
    ),
    "in place": (lambda m, x: F.relu(m.norm(m.conv(x)), inplace=True).add_(x), None),
    "gates": (
        lambda m, x: torch.sigmoid(m.conv(x)) * x,
        ["conv2d", "activation", "multiply"],
    ),
    "squeeze and excite": (
        lambda m, x: F.adaptive_avg_pool2d(x, 1).sigmoid() * x * x.mean((2, 3), keepdim=True),
        ["global_avg_pool", "activation", "multiply", "global_avg_pool", "multiply"],
    ),
    "smooth activations": (
        lambda m, x: F.hardswish(F.hardsigmoid(F.silu(x.tanh()), inplace=True)).sigmoid(),
        ["activation"] * 5,
    ),
    "nothing": (lambda m, x: x, []),
}


@pytest.mark.parametrize("case", SAME_MEANING)
def test_means_the_same(case: str) -> None:
    function, expected = SAME_MEANING[case]
    graph = check(Body(function), (1, 4, 8, 8), (3, 4, 9, 14))
    assert graph.input.free == {0, 2, 3}
    assert expected is None or kinds(graph) == expected


def conv_norm_relu(c: int, k: int, **options: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(c, k, 3, bias=False, **options), nn.BatchNorm2d(k), nn.ReLU(True)
    )


def test_a_plain_network() -> None:
    model = nn.Sequential(
        conv_norm_relu(3, 8, stride=2, padding=1),
        conv_norm_relu(8, 8, groups=8, dilation=2),
        nn.Identity(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(),
        nn.Linear(8, 6),
        nn.BatchNorm1d(6),
        nn.ReLU6(),
    )
    graph = check(model, (2, 3, 16, 16), (1, 3, 19, 17))
    assert [node.name for node in graph.nodes] == [
        *["0.0", "0.1", "0.2", "1.0", "1.1", "1.2"],
        *["3", "4", "6", "7", "8"],
    ]
    assert graph.node("0.0").weights == {"weight": "0.0.weight"}
    assert graph.node("6").weights == {"weight": "6.weight", "bias": "6.bias"}
    assert graph.name == "Sequential"


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(x) + x)


def test_names_come_from_paths_and_are_unique() -> None:
    block = Residual()
    model = nn.Sequential()
    model.add_module("features", nn.Sequential(block, block))
    graph = check(model, (1, 4, 6, 6))
    assert [node.name for node in graph.nodes] == [
        "features.0.conv",
        "features.0.add",
        "features.0.activation",
        "features.1.conv",
        "features.1.add",
        "features.1.activation",
    ]
    assert len(graph.weights) == 2


def test_vectors() -> None:
    graph = check(nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 2)), (1, 5), (7, 5))
    assert graph.input.free == {0}
    assert graph.input.example == (1, 5)


def test_products_with_a_constant_matrix() -> None:
    weight = torch.arange(12.0).view(4, 3)
    for function in (
        lambda m, x: torch.addmm(torch.ones(3), x.mean((2, 3)), weight),
        lambda m, x: x.mean((2, 3)) @ weight,
        lambda m, x: torch.mm(x.mean((2, 3)), weight),
    ):
        assert kinds(check(Body(function), (1, 4, 8, 8)))[-1] == "linear"


class TestFreeAxes:
    def test_a_linear_layer_over_the_picture_fixes_its_size(self) -> None:
        graph = check(Body(lambda m, x: m.linear(m.conv(x).flatten(1))), (1, 4, 8, 8), (3, 4, 8, 8))
        assert graph.input.free == {0}

    def test_a_branch_on_the_size_fixes_it(self) -> None:
        graph = check(Body(lambda m, x: x if x.shape[2] > 7 else x.relu()), (1, 4, 8, 8))
        assert graph.input.free == {0, 3}

    def test_windows_do_not(self) -> None:
        graph = check(Body(lambda m, x: F.max_pool2d(x, 5)), (1, 4, 8, 8), (1, 4, 5, 9))
        assert graph.input.free == {0, 2, 3}

    def test_a_fixed_batch(self) -> None:
        graph = check(Body(lambda m, x: x.reshape(2, -1)), (2, 4, 8, 8))
        assert 0 not in graph.input.free

    def test_a_fixed_batch_of_one(self) -> None:
        graph = check(Body(lambda m, x: x.view(1, 4, 8, 8).relu()), (1, 4, 8, 8))
        assert graph.input.free == frozenset()


UNSUPPORTED: dict[str, tuple[Callable[[Body, Tensor], object], str]] = {
    "softmax over rows": (lambda m, x: x.softmax(2), "aten.softmax"),
    "product of values": (lambda m, x: x * x[:, :1], "aten.mul.Tensor multiplies values of diff"),
    "quotient of values": (lambda m, x: x / x, "aten.div.Tensor of two values"),
    "broadcast sum": (lambda m, x: x + x.mean((2, 3), keepdim=True), "different shapes"),
    "sum with alpha": (lambda m, x: torch.add(x, x, alpha=2), "alpha"),
    "constant picture": (lambda m, x: x + torch.ones(8, 8), "not one number a channel"),
    "clamp": (lambda m, x: x.clamp(-1, 1), "aten.clamp"),
    "max over channels": (lambda m, x: x.amax(1), "aten.amax"),
    "mean over channels": (lambda m, x: x.mean(1), "height and width only"),
    "batch statistics": (lambda m, x: F.batch_norm(x, None, None, training=True), "by the batch"),
    "dropout in evaluation": (lambda m, x: F.dropout(x, training=True), "random"),
    "circular padding": (lambda m, x: F.pad(x, (1, 1, 1, 1), mode="circular"), "other than zeros"),
    "padding with ones": (lambda m, x: F.pad(x, (1, 1), value=1.0), "other than zeros"),
    "cropping": (lambda m, x: F.pad(x, (-1, -1)), "cuts"),
    "a part of the picture": (lambda m, x: x[:, :, 1:5], "part of the picture"),
    "a part of the batch": (lambda m, x: x[:1], "part of the picture or batch"),
    "axes exchanged": (lambda m, x: x + x.transpose(2, 3), "other axes"),
    "channels last": (lambda m, x: x.permute(0, 2, 3, 1), "other axes"),
    "joined batches": (lambda m, x: torch.cat([x, x]), "another axis"),
    "half precision": (lambda m, x: x.half(), "number type"),
    "pool divisor": (lambda m, x: F.avg_pool2d(x, 2, divisor_override=3), "divisor"),
    "transposed": (lambda m, x: F.conv_transpose2d(x, m.mask), "aten.conv_transpose2d"),
    "weights from data": (lambda m, x: F.conv2d(x, m.mask * x.mean()), "aten.mean.default"),
    "large window": (lambda m, x: F.max_pool2d(F.pad(x, (5000, 0)), (1, 4999), 1), "attributes"),
    "two outputs": (lambda m, x: (x, x.relu()), "one output"),
    "no dependence": (lambda m, x: m.level, "does not depend"),
    "random": (lambda m, x: x + torch.rand(4, 1, 1), "aten.rand"),
    "overwritten": (
        lambda m, x: (lambda y: (y.flatten(1).relu_(), y + y)[1])(m.conv(x)),
        "overwritten in place",
    ),
    "data-dependent": (lambda m, x: x if x.sum() > 0 else -x, "cannot follow"),
}


@pytest.mark.parametrize("case", UNSUPPORTED)
def test_what_the_graph_has_not_is_a_named_error(case: str) -> None:
    function, message = UNSUPPORTED[case]
    with pytest.raises(UnsupportedOperatorError, match=message):
        from_torch(Body(function), torch.randn(1, 4, 8, 8))


class Odd(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(x)  # the line that the error names


def test_the_error_names_module_file_and_line() -> None:
    model = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Sequential(nn.ReLU(), Odd()))
    with pytest.raises(UnsupportedOperatorError) as caught:
        from_torch(model, torch.randn(1, 3, 4, 4))
    line = Odd.forward.__code__.co_firstlineno + 1
    assert str(caught.value).startswith(f"module '1.1', test_from_torch.py line {line}: operator")
    assert "aten.sin.default" in str(caught.value)


def test_leaves_the_module_as_it_is() -> None:
    model = randomise(conv_norm_relu(3, 4)).train()
    model[0].weight.grad = torch.ones_like(model[0].weight)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    x = torch.randn(2, 3, 8, 8, requires_grad=True)
    from_torch(model, x)
    assert all(module.training for module in model.modules())
    assert model[0].weight.requires_grad
    assert model[0].weight.grad is not None
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_double_modules_become_float32() -> None:
    model = nn.Sequential(nn.Conv2d(2, 2, 1)).double()
    graph = from_torch(model, torch.randn(1, 2, 4, 4, dtype=torch.float64))
    assert graph.weights["0.weight"].to_dense().dtype == np.float32
    assert model[0].weight.dtype == torch.float64


@pytest.mark.parametrize(
    "example",
    [torch.zeros(3, 8, 8), torch.zeros(0, 3, 8, 8), (torch.zeros(1, 3, 8, 8),) * 2, "picture", ()],
    ids=["rank", "empty", "two", "text", "none"],
)
def test_bad_examples(example: object) -> None:
    with pytest.raises(ShapeError):
        from_torch(nn.ReLU(), example)


def test_a_module_that_cannot_be_copied() -> None:
    model = nn.ReLU()
    model.lock = open(__file__)  # noqa: SIM115, PTH123
    try:
        with pytest.raises(GossamerError, match="cannot be copied"):
            from_torch(model, torch.zeros(1, 3, 8, 8))
    finally:
        model.lock.close()


def test_shuffles_are_recognised_as_such() -> None:
    graph = check(Body(SAME_MEANING["shuffle"][0]), (1, 4, 8, 8))
    assert graph.nodes[0].op == ops.ChannelPermute(ops.shuffle_order(4, 2))
