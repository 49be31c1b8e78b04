"""Each way in which channels hang together, on the smallest network that has it."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gossamer.compress.channels.removal import remove_channels
from gossamer.compress.channels.search import Search
from gossamer.compress.channels.select import Share
from gossamer.compress.channels.units import Structure
from gossamer.errors import PassError

SHAPE = (1, 3, 8, 8)


class Net(nn.Module):
    """Layers by name, and a function of them."""

    def __init__(self, forward, **layers: nn.Module) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.function = forward

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


def conv(before: int, after: int, kernel: int = 3, **options) -> nn.Conv2d:
    return nn.Conv2d(before, after, kernel, padding=kernel // 2, **options)


def structure(model: nn.Module, shape=SHAPE) -> Structure:
    with torch.random.fork_rng():
        search = Search(model, torch.randn(shape), lambda name: False)
    return search.structure(Share(amount=0.0))


def touched(found: Structure) -> set[frozenset[tuple[str, int]]]:
    """Return for each group the tensors and axes that it touches."""
    return {
        frozenset(key for key, units in found.unit_of.items() if np.isin(units, group).any())
        for group in found.groups
    }


def removed(model: nn.Module, share: float = 0.5, shape=SHAPE, **options) -> nn.Module:
    """Return the smaller network; that it equals the masked one has been checked."""
    model.eval()
    before = deepcopy(model.state_dict())
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    made = remove_channels(model, x, Share("channels", share, "uniform", **options)).model
    assert type(made) is type(model)
    assert list(made.state_dict()) == list(before)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    made.train()(torch.cat([x, x])).sum().backward()
    assert all(p.grad is not None for p in made.parameters())
    return made.eval()


def test_residual():
    model = Net(
        lambda m, x: m.end(F.relu(m.a(x) + m.norm(m.b(F.relu(m.a(x)))))),
        a=conv(3, 8), b=conv(8, 8), norm=nn.BatchNorm2d(8), end=conv(8, 5),
    )  # fmt: skip
    (group,) = touched(structure(model))
    norm = {(f"norm.{key}", 0) for key in ("weight", "bias", "running_mean", "running_var")}
    assert group == norm | {
        ("a.weight", 0), ("a.bias", 0), ("b.weight", 0), ("b.bias", 0), ("b.weight", 1),
        ("end.weight", 1),
    }  # fmt: skip
    made = removed(model, 0.3)
    assert made.a.out_channels == made.b.in_channels == made.b.out_channels == made.end.in_channels
    assert made.a.out_channels == made.norm.num_features == len(made.norm.running_var) < 8


def test_concat_of_two_and_of_one_with_itself():
    model = Net(
        lambda m, x: m.end(torch.cat([m.a(x), m.b(x), m.a(x)], 1)),
        a=conv(3, 6), b=conv(3, 4), end=conv(16, 5),
    )  # fmt: skip
    found = structure(model)
    assert {len(group) for group in found.groups} == {4, 6}
    columns = found.unit_of["end.weight", 1]
    assert (columns[:6] == columns[10:]).all()
    made = removed(model, 0.3)
    assert made.end.in_channels == 2 * made.a.out_channels + made.b.out_channels < 16


def test_depthwise_with_multiplier():
    model = nn.Sequential(conv(3, 6), conv(6, 12, groups=6), nn.PReLU(12), conv(12, 4))
    assert [len(group) for group in structure(model).groups] == [6]
    made = removed(model, 0.4)
    assert made[1].groups == made[0].out_channels < 6
    assert made[1].weight.shape[:2] == (2 * made[0].out_channels, 1)
    assert made[2].num_parameters == 2 * made[0].out_channels


def test_grouped_keeps_its_groups_and_loses_positions():
    model = nn.Sequential(conv(3, 12), conv(12, 12, groups=2), conv(12, 4))
    assert sorted(len(group) for group in structure(model).groups) == [6, 6]
    made = removed(model, 0.4)
    assert made[1].groups == 2
    assert made[1].in_channels == made[0].out_channels < 12


def test_many_small_groups_go_whole():
    model = nn.Sequential(conv(3, 12), conv(12, 12, groups=6), conv(12, 4))
    assert [len(group) for group in structure(model).groups] == [6]
    made = removed(model, 0.4)
    assert made[1].groups == made[0].out_channels // 2 < 6
    assert made[1].weight.shape[1] == 2


class Shuffle(nn.Module):
    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        x = x.view(n, self.groups, c // self.groups, h, w)
        return x.transpose(1, 2).reshape(n, c, h, w)


def test_channel_shuffle():
    model = nn.Sequential(conv(3, 12), Shuffle(3), nn.ReLU(), conv(12, 4))
    columns = structure(model).unit_of["3.weight", 1]
    rows = structure(model).unit_of["0.weight", 0]
    assert (columns.reshape(4, 3).T.ravel() == rows).all()
    made = removed(model, 0.4)
    assert made[0].out_channels % 3 == 0
    assert made[1].groups == 3


def test_shuffle_by_an_attribute_that_counts_what_goes():
    """Interleaved convolutions: the second shuffle's groups are what the first one leaves."""
    model = nn.Sequential(
        conv(3, 12), conv(12, 12, groups=2), Shuffle(2), conv(12, 12, 1, groups=6), Shuffle(6),
        conv(12, 4),
    )  # fmt: skip
    made = removed(model, 0.4)
    assert made[4].groups == made[3].groups < 6


@pytest.mark.parametrize("parts", [2, 3])
def test_chunks_stay_equal(parts):
    model = Net(
        lambda m, x: m.end(torch.cat(m.a(x).chunk(parts, 1)[::-1], 1)),
        a=conv(3, 12), end=conv(12, 4),
    )  # fmt: skip
    assert [len(group) for group in structure(model).groups] == [12 // parts]
    made = removed(model, 0.4)
    assert made.a.out_channels % parts == 0


class Halves(nn.Module):
    """Sizes as attributes: a list for the split, a number for the slice."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.end = conv(3, 10), conv(4, 4), conv(8, 4)
        self.sizes, self.first = [6, 4], 4

    def forward(self, x: Tensor) -> Tensor:
        left, right = self.a(x).split(self.sizes, 1)
        return self.end(torch.cat([left[:, : self.first], self.b(right)], 1))


def test_sizes_held_as_attributes_follow():
    made = removed(Halves(), 0.4)
    assert sum(made.sizes) == made.a.out_channels < 10
    assert made.first + made.b.out_channels == made.end.in_channels


class Fixed(nn.Module):
    """A width in the code, where nothing can follow."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.end = conv(3, 8), conv(8, 8), conv(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        return self.end(self.b(x.reshape(-1, 8, 8, 8)))


def test_a_width_in_the_code_freezes_its_layer_and_is_told():
    model = Fixed().eval()
    made = remove_channels(model, torch.randn(SHAPE), Share("channels", 0.3, "uniform"))
    assert made.model.a.out_channels == 8
    assert made.model.b.out_channels < 8
    assert "does not run without the channels" in made.frozen["a.weight"]


def test_flatten_into_linear():
    model = nn.Sequential(conv(3, 6), nn.Flatten(), nn.Linear(6 * 64, 5), nn.Linear(5, 2))
    made = removed(model, 0.4)
    assert made[2].in_features == 64 * made[0].out_channels < 6 * 64
    assert made[2].out_features == made[3].in_features < 5


def test_squeeze_and_excite():
    model = Net(
        lambda m, x: m.end(m.a(x) * m.up(F.relu(m.down(m.a(x).mean((2, 3), True)))).sigmoid()),
        a=conv(3, 8), down=conv(8, 4, 1), up=conv(4, 8, 1), end=conv(8, 4),
    )  # fmt: skip
    assert sorted(len(group) for group in structure(model).groups) == [4, 8]
    made = removed(model, 0.4)
    assert made.up.out_channels == made.a.out_channels == made.down.in_channels < 8


def test_a_gate_over_pixels_ties_no_channels():
    model = Net(
        lambda m, x: m.end(m.a(x) * m.gate(x).sigmoid()),
        a=conv(3, 8), gate=conv(3, 1), end=conv(8, 4),
    )  # fmt: skip
    assert [len(group) for group in structure(model).groups] == [8]
    removed(model, 0.4)


def test_a_module_used_twice():
    model = Net(
        lambda m, x: m.end(m.twice(F.relu(m.twice(m.a(x))))),
        a=conv(3, 8), twice=conv(8, 8), end=conv(8, 4),
    )  # fmt: skip
    assert [len(group) for group in structure(model).groups] == [8]
    made = removed(model, 0.4)
    assert made.twice.in_channels == made.twice.out_channels == made.a.out_channels < 8


def test_tied_parameters_stay_tied():
    first, second = conv(3, 8), conv(3, 8)
    second.weight = first.weight
    model = Net(
        lambda m, x: m.end(torch.cat([m.a(x), m.b(x)], 1)), a=first, b=second, end=conv(16, 4)
    )
    made = removed(model, 0.4)
    assert made.a.weight is made.b.weight


def test_group_norm_goes_by_groups():
    model = nn.Sequential(conv(3, 12), nn.GroupNorm(4, 12), conv(12, 4))
    made = removed(model, 0.5)
    assert made[1].num_groups * 3 == made[1].num_channels == made[0].out_channels < 12


@pytest.mark.parametrize(
    ("mix", "operator"),
    [
        (lambda m, x: F.layer_norm(x, x.shape[1:]), "layer_norm"),
        (lambda m, x: F.group_norm(x, 1), "group_norm"),
        (lambda m, x: F.local_response_norm(x, 3), "avg_pool3d"),
        (lambda m, x: x.softmax(1), "softmax"),
        (lambda m, x: x.cumsum(1), "cumsum"),
        (lambda m, x: torch.einsum("nchw,ndhw->nchw", x, x), "aten"),
        (lambda m, x: x.sort(1).values, "sort"),
        (lambda m, x: x * x.mean(1, keepdim=True), "mean"),
        (lambda m, x: x[:, torch.tensor([1, 0, 2, 3, 4, 5, 6, 7])], "index.Tensor"),
    ],
)
def test_what_mixes_channels_keeps_them_and_is_named(mix, operator):
    model = Net(
        lambda m, x: m.end(m.b(mix(m, m.a(x)))), a=conv(3, 8), b=conv(8, 8), end=conv(8, 4)
    ).eval()
    made = remove_channels(model, torch.randn(SHAPE), Share("channels", 0.2, "uniform"))
    assert made.model.a.out_channels == 8
    assert made.model.b.out_channels < 8
    assert operator in made.frozen["a.weight"]


def test_zero_channels_of_a_shortcut_go_along():
    from gossamer.nets.blocks.residual import basic

    model = nn.Sequential(conv(3, 4), basic(4, 10, stride=2, option="A"), conv(10, 2))
    made = removed(model, 0.4)
    before, after = made[1].shortcut.padding
    assert before + made[0].out_channels + after == made[2].in_channels < 10


def test_a_list_of_channels_in_a_buffer_is_renumbered():
    from gossamer.nets.blocks.learned_group import ChannelSelect

    model = nn.Sequential(conv(3, 6), ChannelSelect([4, 0, 4, 2]), conv(4, 4))
    made = removed(model, 0.4)
    assert len(made[1].index) == made[2].in_channels
    assert made[1].index.max() < made[0].out_channels


class Attention(nn.Module):
    """Efficient channel attention: a convolution over the order of the channels."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 1, kernel, padding=kernel // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate = self.conv(x.mean((2, 3)).view(x.shape[0], 1, -1)).sigmoid()
        return x * gate.view(x.shape[0], -1, 1, 1).expand_as(x)


@pytest.mark.parametrize("allocation", ["global", "uniform"])
@pytest.mark.parametrize("kernel", [3, 5])
def test_channels_with_neighbours_go_from_the_end(kernel, allocation):
    model = nn.Sequential(conv(3, 12, bias=False), Attention(kernel), conv(12, 8), conv(8, 4))
    weight = model[0].weight.detach().clone()
    share = Share("channels", 0.2, allocation)
    made = remove_channels(model.eval(), torch.randn(SHAPE), share)
    left = made.model[0].out_channels
    assert allocation == "global" or left < 12
    assert torch.equal(made.model[0].weight, weight[:left])


def test_channels_of_equal_worth_go_from_the_end_too():
    model = nn.Sequential(conv(3, 12, bias=False), Attention(3), conv(12, 4))
    with torch.no_grad():
        model[0].weight.fill_(1.0)
        model[2].weight.fill_(1.0)
    made = remove_channels(model.eval(), torch.randn(SHAPE), Share("channels", 0.2))
    assert made.model[0].out_channels < 12
    assert not made.frozen.keys() & {"0.weight"}


def test_what_comes_before_a_fixed_neighbour_stays():
    model = Net(
        lambda m, x: m.end(m.attend(torch.cat([m.a(x), m.b(x), m.c(x)], 1))),
        a=conv(3, 4, bias=False), b=conv(3, 4, bias=False), c=conv(3, 4, bias=False),
        attend=Attention(3), end=conv(12, 4),
    )  # fmt: skip
    with torch.random.fork_rng():
        search = Search(model.eval(), torch.randn(SHAPE), lambda name: name == "b")
    found = search.structure(Share(amount=0.0))
    assert touched(found) == {frozenset({("c.weight", 0), ("end.weight", 1)})}


class PointwiseInLast(nn.Module):
    """Linear layers along the last axis of a picture (N, H, W, C), as ConvNeXt has them."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.up, self.down = conv(3, 6), nn.Linear(6, 24), nn.Linear(24, 6)
        self.norm, self.end = nn.LayerNorm(6), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        x = x + self.down(F.gelu(self.up(self.norm(x.permute(0, 2, 3, 1))))).permute(0, 3, 1, 2)
        return self.end(x.mean((2, 3)))


def test_a_linear_layer_on_a_picture_counts_as_the_convolution_that_it_is():
    model = PointwiseInLast()
    layers = {layer.weight: layer.convolution for layer in structure(model).flow.layers}
    assert layers == {
        "a.weight": True, "up.weight": True, "down.weight": True, "end.weight": False
    }  # fmt: skip
    made = removed(model, 0.3)
    assert made.up.out_features == made.down.in_features <= 24 - 0.3 * 36
    assert made.norm.normalized_shape == (6,)


def test_layers_that_only_training_reaches_are_cut_too():
    class TwoHeads(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.end, self.other = conv(3, 8), conv(8, 4), conv(8, 2)

        def forward(self, x):
            x = self.a(x)
            return (self.end(x), self.other(x)) if self.training else self.end(x)

    made = remove_channels(TwoHeads().eval(), torch.randn(SHAPE), Share("channels", 0.3)).model
    assert made.other.in_channels == made.a.out_channels < 8
    logits, others = made.train()(torch.randn(SHAPE))
    (logits.sum() + others.sum()).backward()
    assert made.other.weight.grad is not None


def test_what_cannot_go_is_said_before_anything_is_cut():
    model = nn.Sequential(conv(3, 8), nn.LayerNorm([8, 8, 8]), conv(8, 4))
    with pytest.raises(PassError, match=r"cannot be removed.*layer_norm"):
        remove_channels(model, torch.randn(SHAPE), Share("channels", 0.3))
