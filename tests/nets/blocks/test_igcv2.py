import pytest
import torch
from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.igcv2 import igcv2_block
from gossamer.nets.connectivity.composite import composite_sparsity, is_complementary, links_of


def test_one_norm_and_one_activation_a_block():
    block = igcv2_block(64, 64, [1, 8, 8])
    kinds = [type(layer) for layer in block]
    assert kinds.count(nn.BatchNorm2d) == kinds.count(nn.ReLU) == 1
    assert [conv.kernel_size for conv in block if isinstance(conv, nn.Conv2d)] == [
        (3, 3),
        (1, 1),
        (1, 1),
    ]


@pytest.mark.parametrize("sizes", [[4, 2, 3], [2, 3, 4], [24], [1, 24], [3, 8]])
def test_sizes_in_any_order_give_one_path(sizes):
    assert is_complementary(links_of(igcv2_block(24, 24, sizes)))


@pytest.mark.parametrize("widen_at", [0, 1, 2])
@pytest.mark.parametrize("stride", [1, 2])
def test_widens_in_the_layer_asked_for(widen_at, stride):
    block = igcv2_block(16, 32, [1, 8, 8], stride=stride, widen_at=widen_at)
    convs = [layer for layer in block if isinstance(layer, nn.Conv2d)]
    widths = [conv.out_channels for conv in convs]
    assert widths == [16] * widen_at + [32] * (3 - widen_at)
    assert block(torch.zeros(2, 16, 6, 6)).shape == (2, 32, 6 // stride, 6 // stride)
    assert composite_sparsity(links_of(block)) == 0


@pytest.mark.parametrize(
    ("before", "after", "sizes", "widen_at"),
    [
        (12, 12, [5], 0),
        (12, 12, [0, 12], 0),
        (12, 18, [1, 3], 0),
        (12, 12, [], 0),
        (12, 12, [3, 4], 2),
        (12, 12, [3, 4], -1),
    ],
)
def test_what_does_not_divide_is_refused(before, after, sizes, widen_at):
    with pytest.raises(SpecError, match="igcv2_block"):
        igcv2_block(before, after, sizes, widen_at=widen_at)
