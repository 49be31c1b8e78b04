import pytest
import torch
from torch import nn

from gossamer.compress.chains import chains, rebuild, replace_module, weighted_paths
from gossamer.errors import DataError
from gossamer.nets.blocks.shuffle import ChannelShuffle


class Net(nn.Module):
    """One convolution under two names, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.b = self.a
        self.head = nn.Linear(6, 2)

    def forward(self, x):
        return self.head(self.a(x).mean((2, 3)))


def factored() -> Net:
    model = Net()
    inner = nn.Sequential(nn.Conv2d(4, 8, (1, 3), (1, 2), "valid", bias=False), nn.Conv2d(8, 8, 1))
    chain = nn.Sequential(
        inner,
        ChannelShuffle(2),
        nn.Conv2d(8, 6, 3, (2, 1), 1, (2, 2), 2, padding_mode="reflect"),
    )
    replace_module(model, model.a, chain)
    replace_module(model, model.head, nn.Sequential(nn.Linear(6, 1, bias=False), nn.Linear(1, 2)))
    return model


def test_there_and_back():
    model, fresh = factored(), Net()
    assert model.a is model.b
    paths = weighted_paths(fresh)
    assert paths == {"a", "b", "head"}
    stored = chains(paths, model)
    made = rebuild(fresh, model.state_dict(), stored, where="file")
    assert made.a is made.b
    assert str(made) == str(model)
    made.load_state_dict(model.state_dict())
    x = torch.randn(2, 4, 12, 12, generator=torch.Generator().manual_seed(0))
    assert torch.equal(made(x), model(x))
    assert chains(paths, made) == stored


def test_a_network_without_chains_stores_none():
    assert chains(weighted_paths(Net()), Net()) == {}


CONV = {"kind": "conv", "stride": [1, 1], "padding": [0, 0], "dilation": [1, 1], "groups": 1,
        "padding_mode": "zeros"}  # fmt: skip
TENSORS = {"a.0.weight": torch.zeros(6, 4, 3, 3), "head.0.weight": torch.zeros(3)}


def test_a_sound_link_is_taken():
    assert rebuild(Net(), TENSORS, {"a": [CONV]}, where="file").a[0].weight.shape == (6, 4, 3, 3)


@pytest.mark.parametrize(
    "stored",
    [
        3,
        {"nowhere": [CONV]},
        {"": [CONV]},
        {"a": 3},
        {"a": [3]},
        {"a": [{}]},
        {"a": [{"kind": "relu"}]},
        {"a": [{"kind": "conv"}]},
        {"a": [CONV, CONV]},
        {"head": [{"kind": "linear"}]},
        {"a": [{"kind": "shuffle", "groups": 0}]},
        {"a": [{"kind": "chain", "links": 3}]},
        {"a": [CONV | {"groups": -1}]},
        {"a": [CONV | {"groups": True}]},
        {"a": [CONV | {"groups": 5}]},
        {"a": [CONV | {"stride": [0.5, 1]}]},
        {"a": [CONV | {"stride": [0, 1]}]},
        {"a": [CONV | {"dilation": [0, 1]}]},
        {"a": [CONV | {"padding": [-1, 1]}]},
        {"a": [CONV | {"padding": "maybe"}]},
        {"a": [CONV | {"padding": [1]}]},
        {"a": [CONV | {"padding_mode": "system"}]},
        {"head": [CONV | {"kind": "conv"}]},
    ],
)
def test_foreign_chains_are_refused(stored):
    with pytest.raises(DataError, match="not those of this network"):
        rebuild(Net(), TENSORS, stored, where="file")


class Lists(nn.Module):
    """Runs what it holds in a list, a tuple and a dictionary."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(2, 2), nn.ReLU(), nn.Tanh()
        self.first = [self.a, {"then": self.b}]
        self.last = (self.c, 1)

    def forward(self, x):
        a, others = self.first
        return self.last[0](others["then"](a(x)))


def test_modules_are_replaced_in_lists_too():
    model = Lists()
    size = (model.last, model.a.weight)
    replace_module(model, model.a, nn.Sequential(model.a))
    assert model.last is size[0]
    for name in ("b", "c"):
        replace_module(model, getattr(model, name), nn.Identity())
    x = torch.ones(1, 2)
    assert torch.equal(model(x), model.a[0](x))
    assert model.a[0].weight is size[1]
