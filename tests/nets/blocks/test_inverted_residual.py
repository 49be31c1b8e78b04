import pytest
import torch
from torch import nn

from gossamer.nets.blocks.inverted_residual import inverted_residual
from gossamer.nets.blocks.skip import Skip


def conv_widths(block: nn.Module) -> list[tuple[int, int]]:
    return [(m.in_channels, m.out_channels) for m in block.modules() if isinstance(m, nn.Conv2d)]


def test_expands_filters_and_projects():
    block = inverted_residual(8, 12)
    assert conv_widths(block) == [(8, 48), (48, 48), (48, 12)]
    assert block.depthwise.conv.groups == 48
    assert not hasattr(block.project, "act")


def test_no_expansion_no_first_convolution():
    assert conv_widths(inverted_residual(8, 4, expansion=1)) == [(8, 8), (8, 4)]


@pytest.mark.parametrize(("out", "stride", "adds"), [(8, 1, True), (8, 2, False), (12, 1, False)])
def test_adds_where_nothing_changes(out, stride, adds):
    block = inverted_residual(8, out, stride=stride)
    assert isinstance(block, Skip) == adds
    assert block(torch.zeros(2, 8, 6, 6)).shape == (2, out, 6 // stride, 6 // stride)
