"""Channels in another order, on the smallest network of each kind."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gossamer.compress.blocks.ordering import Ordering
from gossamer.compress.blocks.rearrange import Rearrangement, rearrange
from gossamer.compress.layers import match_layers

X = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))

BACKWARDS = Ordering(
    lambda magnitudes, sizes, sparsity, seed: np.arange(len(magnitudes))[::-1],
    lambda magnitudes, order, sizes, sparsity: order,
    lambda magnitudes, sizes, sparsity: float(magnitudes[-1].sum() - magnitudes[0].sum()),
)
"""Turns the order round if the first row weighs more than the last one."""


class Net(nn.Module):
    """Layers by name, and a function of them."""

    def __init__(self, forward, **layers: nn.Module) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.function = forward

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


class Shuffle(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        return x.view(n, 3, c // 3, h, w).transpose(1, 2).reshape(n, c, h, w)


def conv(before: int, after: int, kernel: int = 3, **options) -> nn.Conv2d:
    return nn.Conv2d(before, after, kernel, padding=kernel // 2, **options)


def turned(model: nn.Module, ordering: Ordering = BACKWARDS, **options) -> Rearrangement:
    """Rearrange a network; its outputs stay, its parameters keep their names and shapes."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        for name, parameter in model.named_parameters():
            parameter.normal_()
            if parameter.ndim > 1 and name != "end.weight":  # filters weigh less and less
                falls = torch.linspace(2, 1, len(parameter)).view(-1, *[1] * (parameter.ndim - 1))
                parameter.copy_(parameter.sign() * falls)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean, module.running_var = torch.randn(2, module.num_features).abs() + 1
    before = deepcopy(model.eval())
    layers = match_layers(model, (".*",), (), where="test")
    made = rearrange(model, X, layers, 2, ordering, **options)
    assert torch.allclose(model(X), before(X), rtol=1e-3, atol=1e-4)
    shapes = {name: value.shape for name, value in model.state_dict().items()}
    assert shapes == {name: value.shape for name, value in before.state_dict().items()}
    changed = {
        name
        for name in layers
        if not torch.equal(model.get_submodule(name).weight, before.get_submodule(name).weight)
    }
    assert set(made.moved) <= changed
    return made


def test_a_residual_moves_with_all_that_is_added():
    model = Net(
        lambda m, x: m.end(F.relu(m.a(x) + m.norm(m.b(F.relu(m.a(x)))))),
        a=conv(3, 8), b=conv(8, 8), norm=nn.BatchNorm2d(8), end=conv(8, 5),
    )  # fmt: skip
    assert turned(model) == Rearrangement(("a", "b"), {})


def test_concat_of_two_and_of_one_with_itself():
    model = Net(
        lambda m, x: m.end(torch.cat([m.a(x), m.b(x), m.a(x)], 1)),
        a=conv(3, 6), b=conv(3, 4), end=conv(16, 5),
    )  # fmt: skip
    assert turned(model).moved == ("a", "b")


def test_filters_of_a_grouped_layer_move_within_their_groups():
    model = nn.Sequential(conv(3, 12), conv(12, 12, groups=2), conv(12, 4))
    assert turned(model).moved == ("0", "1")


def test_depthwise_filters_go_along_and_have_no_blocks_of_their_own():
    model = nn.Sequential(conv(3, 6), conv(6, 6, groups=6), nn.PReLU(6), conv(6, 4))
    assert turned(model).moved == ("0",)


def test_groups_that_only_go_whole_have_nothing_to_gain():
    model = nn.Sequential(conv(3, 12), conv(12, 12, groups=6), conv(12, 4))
    assert turned(model).moved == ()


def test_shuffle_split_flatten_and_squeeze():
    model = nn.Sequential(conv(3, 12), Shuffle(), nn.ReLU(), conv(12, 4), nn.Flatten())
    model.append(nn.Linear(256, 6)).append(nn.ReLU()).append(nn.Linear(6, 3))
    assert turned(model).moved == ("0", "3", "5")
    halves = Net(
        lambda m, x: m.end(torch.cat(m.a(x).chunk(2, 1)[::-1], 1)), a=conv(3, 12), end=conv(12, 4)
    )
    assert turned(halves).moved == ("a",)  # one channel of each half goes with one of the other
    gate = Net(
        lambda m, x: m.end(m.a(x) * m.up(F.relu(m.down(m.a(x).mean((2, 3), True)))).sigmoid()),
        a=conv(3, 8), down=conv(8, 4, 1), up=conv(4, 8, 1), end=conv(8, 4),
    )  # fmt: skip
    assert turned(gate).moved == ("a", "down", "up")


def test_tied_weights_and_a_layer_used_twice():
    first, second = conv(3, 8), conv(3, 8)
    second.weight = first.weight
    model = Net(
        lambda m, x: m.end(torch.cat([m.a(x), m.b(x)], 1)), a=first, b=second, end=conv(16, 4)
    )
    assert turned(model).moved == ("a",)
    assert model.a.weight is model.b.weight
    model = Net(
        lambda m, x: m.end(m.twice(F.relu(m.twice(m.a(x))))),
        a=conv(3, 8), twice=conv(8, 8), end=conv(8, 4),
    )  # fmt: skip
    assert turned(model).moved == ("a", "twice")


def test_channels_that_are_not_alike_keep_their_order_and_others_move():
    model = Net(
        lambda m, x: m.end(m.b(torch.cat([F.relu(m.a(x)[:, :4]), m.a(x)[:, 4:]], 1))),
        a=conv(3, 8), b=conv(8, 8), end=conv(8, 4),
    )  # fmt: skip
    made = turned(model)
    assert made.moved == ("b",)
    assert "not alike" in made.stays["a"]


@pytest.mark.parametrize(
    ("mix", "operator"),
    [
        (lambda m, x: F.local_response_norm(x, 3), "avg_pool3d"),
        (lambda m, x: x.cumsum(1), "cumsum"),
        (
            lambda m, x: m.order(x.mean((2, 3)).unsqueeze(1)).squeeze(1)[:, :, None, None] * x,
            "order",
        ),
    ],
)
def test_what_sees_the_order_keeps_it(mix, operator):
    model = Net(
        lambda m, x: m.end(m.b(mix(m, m.a(x)))),
        a=conv(3, 8), b=conv(8, 8), order=nn.Conv1d(1, 1, 3, padding=1), end=conv(8, 4),
    )  # fmt: skip
    made = turned(model)
    assert made.moved == ("b",)
    assert operator in made.stays["a"]


def test_nothing_better_nothing_moved():
    never = Ordering(BACKWARDS.start, BACKWARDS.improve, lambda magnitudes, sizes, sparsity: 0.0)
    assert turned(nn.Sequential(conv(3, 8), conv(8, 4)), never) == Rearrangement((), {})
