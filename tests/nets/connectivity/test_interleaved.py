"""The closed forms against the blocks themselves and against search over whole ranges."""

from fractions import Fraction
from itertools import pairwise
from math import e, isclose, prod

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from gossamer.nets.blocks.igc import igc_block
from gossamer.nets.blocks.igcv2 import igcv2_block
from gossamer.nets.blocks.igcv3 import igcv3_block
from gossamer.nets.connectivity import interleaved as closed
from gossamer.nets.connectivity.composite import links_of, path_counts

TAPS = (1, 4, 9, 25)
PARTITIONS = [(primary, secondary) for primary in range(1, 61) for secondary in range(1, 41)]


def conv_weights(block: nn.Module) -> int:
    return sum(m.weight.numel() for m in block.modules() if isinstance(m, nn.Conv2d))


def on_meta(make, *args, **options) -> nn.Module:
    with torch.device("meta"):
        return make(*args, **options)


# The two sweeps of the IGCV1 paper: L, M and the weights that they have.
SWEEP = [
    *[(1, 23, 4784), (2, 16, 4672), (3, 13, 4680), (5, 10, 4750), (6, 9, 4698), (12, 6, 4752)],
    *[(28, 3, 4620), (40, 2, 4640), (64, 1, 4672), (1, 44, 17468), (2, 31, 17422), (4, 22, 17776)],
    *[(12, 12, 17280), (14, 11, 17402), (23, 8, 17480), (28, 7, 17836), (41, 5, 17630)],
    *[(64, 3, 17472), (85, 2, 17510), (128, 1, 17536)],
]


@pytest.mark.parametrize(("primary", "secondary", "weights"), SWEEP)
def test_weights_of_the_papers_sweeps(primary, secondary, weights):
    assert closed.igcv1_weights(primary, secondary) == weights


def test_igcv1_weights_are_those_of_the_block():
    for primary in range(1, 13):
        for secondary in range(1, 9):
            block = on_meta(igc_block, *[primary * secondary] * 2, primary)
            assert conv_weights(block) == closed.igcv1_weights(primary, secondary)


def test_both_forms_of_igcv1_weights_agree():
    for primary, secondary in PARTITIONS:
        for taps in TAPS:
            width = primary * secondary
            form = width**2 * (Fraction(taps, primary) + Fraction(1, secondary))
            assert closed.igcv1_weights(primary, secondary, taps) == form


def test_wider_than_regular_exactly_where_the_inequality_holds():
    for primary, secondary in PARTITIONS:
        for taps in TAPS:
            # C of equal weights is less than G exactly if a regular layer of width G costs more.
            costs_more = closed.regular_weights(primary * secondary, taps)
            wider = costs_more > closed.igcv1_weights(primary, secondary, taps)
            assert closed.is_wider_than_regular(primary, secondary, taps) == wider


def test_no_partition_is_wider_than_the_bound_and_the_widest_reach_it():
    for primary, secondary in PARTITIONS:
        for taps in TAPS:
            weights = closed.igcv1_weights(primary, secondary, taps)
            bound = closed.igcv1_width_bound(weights, taps)
            reached = isclose(primary * secondary, bound, rel_tol=1e-9)
            assert reached == closed.is_widest(primary, secondary, taps)
            assert reached or primary * secondary < bound


def test_width_bounds_of_the_papers_sweeps():
    assert closed.igcv1_width_bound(4672) == pytest.approx(84.6, abs=0.05)
    assert closed.igcv1_width_bound(17536) == pytest.approx(204.4, abs=0.05)


@given(weights=st.integers(0, 10**7), secondary=st.integers(1, 50), taps=st.sampled_from(TAPS))
def test_best_primary_fits_and_the_next_does_not(weights, secondary, taps):
    best = closed.best_primary(weights, secondary, taps)
    assert best >= 0
    assert best == 0 or closed.igcv1_weights(best, secondary, taps) <= weights
    assert closed.igcv1_weights(best + 1, secondary, taps) > weights


@given(sizes=st.lists(st.integers(1, 4), min_size=1, max_size=4), extra=st.integers(1, 3))
def test_igcv2_weights_are_those_of_the_block(sizes, extra):
    width = prod(sizes) * extra
    block = on_meta(igcv2_block, width, width, sizes)
    assert conv_weights(block) == closed.igcv2_weights(width, sizes)


@given(sizes=st.lists(st.integers(1, 30), min_size=1, max_size=6), taps=st.sampled_from(TAPS))
def test_no_igcv2_block_has_fewer_weights_than_the_bound(sizes, taps):
    width = prod(sizes)
    bound = closed.igcv2_weight_bound(width, len(sizes), taps)
    weights = closed.igcv2_weights(width, sizes, taps)
    assert isclose(weights, bound, rel_tol=1e-9) == closed.is_balanced(sizes, taps)
    assert weights > bound * (1 - 1e-9)


@given(first=st.integers(1, 5), layers=st.integers(1, 5), taps=st.sampled_from(TAPS))
def test_balanced_sizes_have_the_common_value(first, layers, taps):
    sizes = [first] + [taps * first] * (layers - 1)
    assert closed.is_balanced(sizes, taps)
    common = closed.balanced_group_size(prod(sizes), layers, taps)
    assert common == pytest.approx(taps * first)


def test_weights_over_layers_for_64_channels():
    bounds = [closed.igcv2_weight_bound(64, layers) for layers in range(1, 9)]
    known = [36864, 3072, 1597.5, 1254.1, 1140.9, 1107.6, 1110.8, 1133.2]
    assert bounds == pytest.approx(known, abs=0.06)
    assert closed.best_whole_layers(64) == 6


@pytest.mark.parametrize("taps", TAPS)
def test_best_layers_are_the_best_of_all(taps):
    for width in range(2, 1500):
        bounds = [closed.igcv2_weight_bound(width, layers, taps) for layers in range(1, 20)]
        best = closed.best_whole_layers(width, taps)
        assert bounds[best - 1] == min(bounds)
        assert min(bounds) >= closed.least_weights(width, taps) * (1 - 1e-9)
        at_best = closed.igcv2_weight_bound(width, closed.best_layers(width, taps), taps)
        assert at_best == pytest.approx(closed.least_weights(width, taps))


def test_weights_fall_to_the_best_number_of_layers_and_rise_after_it():
    best = closed.best_layers(416)
    assert e**best == pytest.approx(9 * 416)
    bounds = [closed.igcv2_weight_bound(416, layers) for layers in range(1, 17)]
    for layers, (before, after) in enumerate(pairwise(bounds), 1):
        if layers + 1 <= best:
            assert after < before
        if layers >= best:
            assert after > before


@pytest.mark.parametrize("size", [(8, 8), (7, 5)])
@pytest.mark.parametrize("stride", [1, 2])
def test_macs_are_those_of_the_blocks(cost, size, stride):
    after = tuple(-(-side // stride) for side in size)
    igc = on_meta(igc_block, 12, 12, 3, stride=stride)
    assert cost(igc, (12, *size))[1] == closed.block_macs(closed.igcv1_weights(3, 4), after)
    igcv2 = on_meta(igcv2_block, 12, 12, [1, 4, 3], stride=stride)
    weights = closed.igcv2_weights(12, [1, 4, 3])
    assert cost(igcv2, (12, *size))[1] == closed.block_macs(weights, after)
    igcv3 = on_meta(igcv3_block, 12, 24, stride=stride)
    assert cost(igcv3, (12, *size))[1] == closed.igcv3_macs(12, 24, size, stride=stride)


@given(
    width=st.integers(1, 6),
    out=st.integers(1, 6),
    expansion=st.integers(1, 6),
    first=st.integers(1, 4),
    second=st.integers(1, 4),
)
def test_igcv3_weights_and_paths_are_those_of_the_block(width, out, expansion, first, second):
    groups = (first, second)
    width, out = width * first * second, out * second
    block = on_meta(igcv3_block, width, out, expanded=expansion * width, groups=groups)
    assert conv_weights(block) == closed.igcv3_weights(width, out, expansion, groups)
    chain = links_of(block.body if hasattr(block, "body") else block)
    assert (path_counts(chain) == closed.igcv3_paths(width, expansion, groups)).all()
