import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gossamer.errors import SpecError
from gossamer.nets.blocks.inception import Inception
from gossamer.nets.families.googlenet import _MODULES
from gossamer.nets.families.inception_cifar import module_widths


def test_the_proportions_are_those_of_googlenets_first_module():
    assert module_widths(256) == _MODULES["3a"]


@given(st.integers(8, 2000))
def test_the_branches_fill_the_width(width):
    widths = module_widths(width)
    assert widths.total == width
    assert min(widths.one, widths.three, widths.five, widths.pool) >= 1
    assert min(widths.three_reduce, widths.five_reduce) >= 1


@pytest.mark.parametrize("modules", [1, 3])
def test_three_stages_that_double_in_width_and_halve_in_size(on_meta, modules):
    model, x, seen = on_meta("inception-cifar", width=24, modules=modules), None, []
    x = model.stem(torch.zeros(1, 3, 32, 32, device="meta"))
    for block in model.blocks:
        x = block(x)
        if isinstance(block, Inception):
            seen.append(tuple(x.shape[1:]))
    stages = [(24, 32, 32), (48, 16, 16), (96, 8, 8)]
    assert seen == [stage for stage in stages for _ in range(modules)]


def test_exact_totals_of_the_member_in_the_comparison_of_families(on_meta, cost):
    # Of each Inception module from C to w channels: 1×1s C·(w/4 + 3w/8 + w/16 + w/8), 3×3
    # 9·(3w/8)(w/2), 5×5 25·(w/16)(w/8); with w = 16: 13·C + 432 + 50.
    convolutions, before = 27 * 16, 16
    for width in (16, 32, 64):
        convolutions += 13 * width // 16 * before + (27 * width**2) // 16 + 25 * width**2 // 128
        before = width
    channels = 16 + sum(23 * width // 16 for width in (16, 32, 64))
    params, _ = cost(on_meta("inception-cifar", width=16, modules=1), (3, 32, 32))
    assert params == convolutions + 2 * channels + 64 * 10 + 10


@pytest.mark.parametrize("options", [{"width": 7}, {"modules": 0}, {"large": "7x7"}])
def test_options_out_of_range(on_meta, options):
    with pytest.raises(SpecError):
        on_meta("inception-cifar", **options)


def test_a_picture_of_four_pixels(on_meta):
    model = on_meta("inception-cifar", num_classes=3).eval()
    assert model(torch.zeros(2, 3, 4, 4, device="meta")).shape == (2, 3)
