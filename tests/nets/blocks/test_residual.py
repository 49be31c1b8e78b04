import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.residual import PadShortcut, basic, bottleneck, shortcut


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def silence(unit: nn.Module) -> nn.Module:
    """Make the body give zero, so that only the shortcut is left."""
    for layer in unit.body.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.zeros_(layer.weight)
    return unit.eval()


@given(st.integers(1, 6), st.integers(0, 5), st.integers(1, 3), st.integers(1, 7))
def test_option_a_takes_every_stride_th_place_between_zero_channels(channels, more, stride, size):
    x = noise(2, channels, size, size + 1)
    y = PadShortcut(channels, channels + more, stride)(x)
    before = more // 2
    assert torch.equal(y[:, before : before + channels], x[:, :, ::stride, ::stride])
    assert not y[:, :before].any()
    assert not y[:, before + channels :].any()
    assert y.shape[1] == channels + more


@pytest.mark.parametrize("pre_activation", [False, True])
@pytest.mark.parametrize("option", ["A", "B"])
@pytest.mark.parametrize("unit", [basic, bottleneck])
@pytest.mark.parametrize(("stride", "size"), [(1, 7), (2, 4)])
def test_shapes(unit, option, pre_activation, stride, size):
    made = unit(4, 8, stride=stride, option=option, pre_activation=pre_activation)
    width = 8 if unit is basic else 32
    assert made(noise(2, 4, 7, 7)).shape == (2, width, size, size)


def test_identity_where_nothing_changes():
    for unit in (basic(8, 8), bottleneck(8, 2), basic(8, 8, pre_activation=True)):
        assert isinstance(unit.shortcut, nn.Identity)
    assert isinstance(shortcut(8, 8, 2, "A"), PadShortcut)


def test_post_activation_ends_in_relu_and_pre_activation_is_a_clean_sum():
    x = noise(2, 4, 5, 5)
    assert torch.equal(silence(basic(4, 4))(x), x.relu())
    assert torch.equal(silence(basic(4, 4, pre_activation=True))(x), x)
    padded = silence(basic(4, 8, option="A", pre_activation=True))(x)
    assert torch.equal(padded[:, 2:6], x)


def test_pre_activation_projects_the_activated_input():
    unit = silence(basic(4, 8, stride=2, pre_activation=True))
    x = noise(2, 4, 6, 6)
    assert torch.equal(unit(x), unit.shortcut(unit.norm(x).relu()))
    assert [type(layer) for layer in unit.shortcut] == [nn.Conv2d]


def test_order_of_the_layers():
    kinds = {"conv": nn.Conv2d, "norm": nn.BatchNorm2d, "act": nn.ReLU}
    plain = [*bottleneck(4, 4).body.named_children()]
    assert [name for name, _ in plain] == (
        ["conv1", "norm1", "act1", "conv2", "norm2", "act2", "conv3", "norm3"]
    )
    assert all(isinstance(layer, kinds[name[:-1]]) for name, layer in plain)
    pre = basic(4, 4, pre_activation=True).body
    assert [name for name, _ in pre.named_children()] == ["conv1", "norm2", "act2", "conv2"]


def test_stride_of_a_bottleneck_is_in_its_3x3():
    body = bottleneck(4, 4, stride=2).body
    assert [conv.stride[0] for conv in (body.conv1, body.conv2, body.conv3)] == [1, 2, 1]


def test_unusable_shortcuts():
    with pytest.raises(SpecError, match=r"option \(got C"):
        basic(4, 4, option="C")
    with pytest.raises(SpecError, match="narrower"):
        basic(8, 4, option="A")
