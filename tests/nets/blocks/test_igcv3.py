import pytest
import torch
from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.igcv3 import igcv3_block
from gossamer.nets.blocks.shuffle import ChannelShuffle
from gossamer.nets.blocks.skip import Skip


def test_one_shuffle_and_one_activation():
    body = igcv3_block(8, 8).body
    leaves = [m for m in body.modules() if not list(m.children())]
    names = [type(m).__name__ for m in leaves]
    assert names == [
        *["Conv2d", "BatchNorm2d", "ChannelShuffle"],
        *["Conv2d", "BatchNorm2d", "ReLU6", "Conv2d", "BatchNorm2d"],
    ]


@pytest.mark.parametrize(("out", "stride", "adds"), [(8, 1, True), (8, 2, False), (12, 1, False)])
def test_adds_where_nothing_changes(out, stride, adds):
    block = igcv3_block(8, out, stride=stride)
    assert isinstance(block, Skip) == adds
    assert block(torch.zeros(2, 8, 6, 6)).shape == (2, out, 6 // stride, 6 // stride)


def test_groups_and_expansion_as_asked():
    block = igcv3_block(8, 12, expanded=40, groups=(2, 4))
    convs = [m for m in block.modules() if isinstance(m, nn.Conv2d)]
    assert [(c.out_channels, c.groups) for c in convs] == [(40, 2), (40, 40), (12, 4)]
    assert [m.groups for m in block.modules() if isinstance(m, ChannelShuffle)] == [2]


@pytest.mark.parametrize(
    ("before", "after", "expanded", "groups"),
    [(7, 8, 42, (2, 2)), (8, 9, 48, (2, 2)), (8, 8, 47, (2, 1)), (8, 8, 48, (0, 2))],
)
def test_groups_must_divide_the_widths(before, after, expanded, groups):
    with pytest.raises(SpecError, match="groups must divide"):
        igcv3_block(before, after, expanded=expanded, groups=groups)
