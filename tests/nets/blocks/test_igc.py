import pytest
import torch
from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.igc import igc_block, igc_unit

PARTITIONS = [(2, 3), (3, 2), (8, 24), (24, 2), (4, 8), (1, 6), (6, 1)]


def path_counts(stages: list[nn.Module], channels: int) -> torch.Tensor:
    """Return how many paths lead from each input channel (row) to each output channel."""
    x = torch.eye(channels).reshape(channels, channels, 1, 1)
    for stage in stages:
        if isinstance(stage, nn.Conv2d):
            weight = torch.zeros_like(stage.weight)
            weight[:, :, stage.kernel_size[0] // 2, stage.kernel_size[1] // 2] = 1
            stage.weight.data = weight
        x = stage(x)
    return x.detach().reshape(channels, channels)


@pytest.mark.parametrize(("primary", "secondary"), PARTITIONS)
def test_exactly_one_path_between_each_pair_of_channels(primary, secondary):
    block = igc_block(primary * secondary, primary * secondary, primary)
    stages = [block.primary, block.interleave, block.secondary, block.restore]
    assert (path_counts(stages, primary * secondary) == 1).all()


def test_without_the_first_shuffle_paths_are_missing():
    block = igc_block(48, 48, 24)
    counts = path_counts([block.primary, block.secondary], 48)
    assert set(counts.unique().tolist()) == {0, 2}


def test_composite_equals_one_dense_convolution():
    block = igc_block(6, 6, 2)
    parts = nn.Sequential(block.primary, block.interleave, block.secondary, block.restore)
    x = torch.randn(2, 6, 5, 5, generator=torch.Generator().manual_seed(0))
    # The response to one pulse a channel is the composite kernel, mirrored.
    pulses = torch.zeros(6, 6, 5, 5)
    pulses[range(6), range(6), 2, 2] = 1
    kernel = parts(pulses)[:, :, 1:4, 1:4].flip(2, 3).transpose(0, 1)
    assert (kernel != 0).all()
    dense = nn.functional.conv2d(x, kernel, padding=1)
    torch.testing.assert_close(parts(x), dense, atol=1e-5, rtol=1e-5)


def test_weights_of_the_talks_example():
    # Six channels in two groups of three, then three groups of two: 3·9·3·2 and 2·2·3.
    block = igc_block(6, 6, 2)
    assert (block.primary.weight.numel(), block.secondary.weight.numel()) == (162, 12)


@pytest.mark.parametrize(("before", "after", "groups"), [(6, 6, 4), (5, 6, 2), (6, 6, 0)])
def test_groups_must_divide_both_widths(before, after, groups):
    with pytest.raises(SpecError, match="primary groups must divide"):
        igc_block(before, after, groups)


def test_the_unit_adds_before_its_last_activation():
    unit = igc_unit(6, 6, 2).eval()
    x = torch.randn(2, 6, 5, 5, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        first, second = unit.body
        assert not any(isinstance(layer, nn.ReLU) for layer in second)
        torch.testing.assert_close(unit(x), torch.relu(second(first(x)) + x))


@pytest.mark.parametrize(("after", "stride"), [(12, 2), (12, 1), (6, 2)])
def test_a_unit_that_changes_width_or_size_projects_with_the_primary_groups(after, stride):
    unit = igc_unit(6, after, 2, stride=stride)
    assert unit.shortcut.conv.groups == 2
    assert unit(torch.zeros(2, 6, 5, 5)).shape == (2, after, -(-5 // stride), -(-5 // stride))


def test_secondary_groups_come_from_the_output_width():
    # The authors' code takes them from the input width: twice as many, and two paths.
    first = igc_unit(48, 96, 24, stride=2).body[0]
    assert first.secondary.groups == 4
