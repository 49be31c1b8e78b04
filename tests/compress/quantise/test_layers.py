from copy import deepcopy

import pytest
import torch
from torch import nn

from gossamer.compress.quantise.layers import (
    RoundedConv2d,
    RoundedLinear,
    SignConv2d,
    SignLinear,
    can_round,
    read_signs,
    restore_layers,
    round_input,
)
from gossamer.errors import DataError
from gossamer.graph.ops import Quantise

LEVELS = Quantise(0.125, 3, 0, 255)


@pytest.fixture
def model():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2)).eval()
    round_input(net[0], LEVELS)
    read_signs(net[3])
    return net


def fresh():
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2)).eval()


def test_a_layer_of_rounded_inputs(model):
    x = torch.randn(3, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    levels = ((x / 0.125).round() + 3).clamp(0, 255)
    expected = nn.functional.conv2d((levels - 3) * 0.125, model[0].weight, model[0].bias)
    torch.testing.assert_close(model[0](x), expected)
    assert isinstance(model[0], RoundedConv2d)
    assert isinstance(model[0], nn.Conv2d)


def test_a_layer_of_signs(model):
    x = torch.tensor([[-2.0, -0.0, 0.0, 1e-9, 2**-11, 2**-9, 0.3, 40.0]])
    signs = torch.tensor([[-1.0, -1, -1, -1, -1, 1, 1, 1]])
    expected = nn.functional.linear(signs, model[3].weight, model[3].bias)
    torch.testing.assert_close(model[3](x), expected)
    assert isinstance(model[3], SignLinear)


def test_gradients_pass_inside_the_range_only():
    layer = nn.Linear(3, 1, bias=False)
    round_input(layer, LEVELS)
    x = torch.tensor([[-5.0, 1.0, 40.0]], requires_grad=True)
    layer(x).sum().backward()
    assert torch.equal(x.grad, layer.weight.detach() * torch.tensor([[0.0, 1, 0]]))
    read_signs(layer)
    x = torch.tensor([[-1.5, 0.5, 1.5]], requires_grad=True)
    layer(x).sum().backward()
    assert torch.equal(x.grad, layer.weight.detach() * torch.tensor([[0.0, 1, 0]]))


def test_the_state_says_it_all(model):
    state = model.state_dict()
    again = restore_layers(fresh(), state, where="demo")
    again.load_state_dict(state)
    assert [type(m) for m in again] == [type(m) for m in model]
    assert again[0].levels == LEVELS
    x = torch.randn(2, 1, 4, 4, generator=torch.Generator().manual_seed(1))
    assert torch.equal(again(x), model(x))
    assert "levels=Quantise(scale=0.125, zero_point=3" in str(again)
    assert torch.equal(deepcopy(model)(x), model(x))
    plain = fresh()
    assert restore_layers(plain, plain.state_dict(), where="demo") is plain
    assert type(plain[0]) is nn.Conv2d


@pytest.mark.parametrize(
    ("key", "state"),
    [
        ("0._extra_state", torch.tensor([1.0, 0, 0])),
        ("0._extra_state", torch.tensor([1.0, 0.5, 0, 255])),
        ("0._extra_state", torch.tensor([-1.0, 0, 0, 255])),
        ("0._extra_state", torch.tensor([1.0, 0, 0, 999])),
        ("0._extra_state", torch.zeros(0)),
        ("1._extra_state", torch.tensor([1.0, 0, 0, 255])),
        ("9._extra_state", torch.tensor([1.0])),
    ],
)
def test_hostile_states_are_a_named_error(key, state):
    with pytest.raises(DataError, match=r"net\.safetensors: levels that fit no layer"):
        restore_layers(fresh(), {key: state}, where="net.safetensors")


def test_only_plain_layers():
    class Other(nn.Conv2d):
        pass

    assert can_round(nn.Linear(1, 1))
    assert not can_round(Other(1, 1, 1))
    assert not can_round(nn.ReLU())
    layer = nn.Conv2d(1, 1, 1)
    round_input(layer, LEVELS)
    assert can_round(layer)
    assert type(layer) is RoundedConv2d
    read_signs(layer)
    assert type(layer) is SignConv2d
    assert not can_round(layer)
    other = nn.Linear(1, 1)
    round_input(other, LEVELS)
    assert type(other) is RoundedLinear
