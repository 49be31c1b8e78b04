import pytest
import torch

from gossamer.compress.factor.stage import Stage, build_chain, chain_macs
from gossamer.compress.quantise.layers import RoundedConv2d, RoundedLinear
from gossamer.graph.ops import Quantise
from gossamer.nets.blocks.shuffle import ChannelShuffle
from tests.compress.factor.layers import LAYERS, example_of


@pytest.mark.parametrize("name", LAYERS)
def test_a_stage_is_its_layer(name):
    layer = LAYERS[name]
    stage = Stage.like(layer)
    x = example_of(layer)
    made = build_chain((stage,), [layer.weight], layer.bias)
    assert torch.equal(made(x), layer(x))
    if stage.kernel is None:
        assert stage.macs((3, 1)) == 3 * layer.weight.numel()
        return
    size = stage.output_size((9, 8))
    assert size == layer(x).shape[2:]
    assert stage.macs((9, 8)) == layer.weight.numel() * size[0] * size[1]


def test_macs_follow_the_size():
    stages = (Stage(2, 4, (3, 3), stride=(2, 2)), Stage(4, 8, shuffle=2))
    assert chain_macs(stages, (9, 9)) == 4 * 4 * (2 * 4 * 9 + 4 * 8)


def test_building_draws_no_random_number_and_keeps_the_type():
    before = torch.random.get_rng_state()
    chain = build_chain((Stage(2, 2, None),), [torch.zeros(2, 2).double()], None)
    assert torch.equal(before, torch.random.get_rng_state())
    assert chain[0].weight.dtype == torch.float64


def test_the_first_of_a_chain_rounds():
    stages, levels = (Stage(2, 3, shuffle=3), Stage(3, 2)), Quantise(0.5, 1, 0, 255)
    chain = build_chain(stages, [torch.ones(3, 2), torch.ones(2, 3)], torch.ones(2), levels)
    assert [type(m) for m in chain] == [RoundedConv2d, ChannelShuffle, torch.nn.Conv2d]
    assert chain[0].levels == levels
    assert chain(torch.full((1, 2, 1, 1), 0.7)).flatten().tolist() == [4.0, 4.0]
    line = build_chain((Stage(2, 2, None),), [torch.ones(2, 2)], None, levels)
    assert type(line[0]) is RoundedLinear


def test_a_window_along_one_axis():
    stage = Stage(2, 4, (3, 5), stride=(2, 1), padding="same", dilation=(1, 2))
    across = stage.along(1, (4, 6), 2)
    assert (across.kernel, across.stride, across.dilation) == ((1, 5), (1, 1), (1, 2))
    assert (across.padding, across.groups, across.in_channels) == ("same", 2, 4)
