import torch
from torch import nn

from gossamer.nets.blocks.separable import separable_conv, separable_norm_act


def kinds(block: nn.Module) -> list[str]:
    return [type(m).__name__ for m in block.modules() if not list(m.children())]


def test_xceptions_form_has_nothing_in_between():
    block = separable_conv(4, 6)
    assert kinds(block) == ["Conv2d", "Conv2d"]
    assert (block.depthwise.groups, block.pointwise.groups) == (4, 1)


def test_mobilenets_form_has_norm_and_activation_after_both():
    block = separable_norm_act(4, 6)
    assert kinds(block) == ["Conv2d", "BatchNorm2d", "ReLU"] * 2


def test_the_stride_is_that_of_the_channel_wise_convolution():
    x = torch.zeros(2, 4, 7, 7)
    for make in (separable_conv, separable_norm_act):
        assert make(4, 6)(x).shape == (2, 6, 7, 7)
        assert make(4, 6, stride=2)(x).shape == (2, 6, 4, 4)


def test_equals_a_dense_convolution_of_rank_one_filters():
    block = separable_conv(3, 5)
    x = torch.randn(1, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    filters = block.depthwise.weight[:, 0]
    dense = block.pointwise.weight[:, :, 0, 0, None, None] * filters[None]
    torch.testing.assert_close(block(x), nn.functional.conv2d(x, dense, padding=1))
