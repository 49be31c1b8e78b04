import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.inception import Inception, InceptionWidths

THREE_A = InceptionWidths(64, 96, 128, 16, 32, 32)


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("in_channels", "size", "widths", "count", "millions"),
    [
        (192, 28, (64, 96, 128, 16, 32, 32), 163_696, 128.0),
        (256, 28, (128, 128, 192, 32, 96, 64), 388_736, 304.3),
        (480, 14, (192, 96, 208, 16, 48, 64), 376_176, 73.6),
        (512, 14, (160, 112, 224, 24, 64, 64), 449_160, 87.9),
        (512, 14, (128, 128, 256, 24, 64, 64), 510_104, 99.9),
        (512, 14, (112, 144, 288, 32, 64, 64), 605_376, 118.5),
        (528, 14, (256, 160, 320, 32, 128, 128), 868_352, 170.0),
        (832, 7, (256, 160, 320, 32, 128, 128), 1_043_456, 51.1),
        (832, 7, (384, 192, 384, 48, 128, 128), 1_444_080, 70.7),
    ],
)
def test_costs_of_the_nine_modules(cost, in_channels, size, widths, count, millions):
    with torch.device("meta"):
        module = Inception(in_channels, InceptionWidths(*widths))
    params, macs = cost(module, (in_channels, size, size))
    assert (params, round(macs / 1e6, 1)) == (count, millions)


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("large", ["5x5", "two 3x3", "3x3"])
def test_parameters_of_the_large_branch(large, norm):
    kernels = {"5x5": 16 * 32 * 25, "two 3x3": (16 + 32) * 32 * 9, "3x3": 16 * 32 * 9}[large]
    others = 192 * (64 + 96 + 16 + 32) + 96 * 128 * 9
    # Each output channel has a bias, or the scale and shift of a norm.
    channels = 64 + 96 + 128 + 16 + 32 * (2 if large == "two 3x3" else 1) + 32
    module = Inception(192, THREE_A, large=large, norm=norm)
    assert parameters(module) == others + kernels + channels * (2 if norm else 1)


def test_branches_are_concatenated_in_the_order_of_the_paper():
    module = Inception(3, InceptionWidths(1, 2, 2, 2, 3, 4)).eval()
    x = torch.randn(2, 3, 6, 5, generator=torch.Generator().manual_seed(0))
    parts = torch.split(module(x), [1, 2, 3, 4], 1)
    for part, name in zip(parts, ("one", "three", "five", "pool"), strict=True):
        assert torch.equal(part, module.branches[name](x))


def test_two_3x3_see_as_far_as_one_5x5():
    seen = []
    for large in ("5x5", "two 3x3", "3x3"):
        branch = Inception(1, InceptionWidths(0, 0, 0, 0, 1, 0), large=large).branches["five"]
        for layer in branch.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.ones_(layer.weight)
        pulse = torch.zeros(1, 1, 11, 11)
        pulse[..., 5, 5] = 1
        seen.append(int((branch(pulse) > 0).sum()))
    assert seen == [25, 25, 9]


widths = st.tuples(*[st.integers(0, 3)] * 6)


@settings(max_examples=40)
@given(widths=widths, height=st.integers(1, 5), width=st.integers(1, 5))
def test_any_widths_give_their_sum(widths, height, width):
    one, three_reduce, three, five_reduce, five, pool = widths
    impossible = (three_reduce and not three) or (five_reduce and not five)
    if impossible or not one + three + five + pool:
        with pytest.raises(SpecError):
            InceptionWidths(*widths)
        return
    module = Inception(2, InceptionWidths(*widths))
    total = one + three + five + pool
    assert module(torch.zeros(1, 2, height, width)).shape == (1, total, height, width)
    assert len(module.branches) == sum(map(bool, (one, three, five, pool)))


@pytest.mark.parametrize("width", [-1, 2.0, None])
def test_widths_must_be_natural_numbers(width):
    with pytest.raises(SpecError, match="integers"):
        InceptionWidths(width, 1, 1, 1, 1, 1)


def test_unknown_large_branch():
    with pytest.raises(SpecError, match=r"got 7x7.*two 3x3"):
        Inception(4, THREE_A, large="7x7")
