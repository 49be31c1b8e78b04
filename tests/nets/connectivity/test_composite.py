"""Known answers from the IGC papers, and the definitions themselves on random permutations."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from gossamer.errors import ShapeError, SpecError
from gossamer.nets.blocks.igc import igc_block, igc_unit
from gossamer.nets.blocks.igcv2 import igcv2_block
from gossamer.nets.blocks.igcv3 import igcv3_block
from gossamer.nets.blocks.shuffle import ChannelShuffle
from gossamer.nets.connectivity.composite import (
    GroupConv,
    Link,
    Permutation,
    composite_sparsity,
    is_complementary,
    links_of,
    path_counts,
    shuffle,
    super_channels,
)

small = st.integers(1, 4)


def igcv1(primary: int, secondary: int) -> list[Link]:
    width = primary * secondary
    return [
        GroupConv(width, width, primary),
        shuffle(primary, width),
        GroupConv(width, width, secondary),
        shuffle(secondary, width),
    ]


def igcv2(width: int, group_sizes: list[int]) -> list[Link]:
    links: list[Link] = []
    for size in group_sizes:
        links += [GroupConv(width, width, width // size), shuffle(width // size, width)]
    return links


def igcv3(width: int, expansion: int, first: int, second: int) -> list[Link]:
    wide = expansion * width
    return [
        GroupConv(width, wide, first),
        shuffle(first, wide),
        GroupConv(wide, wide, wide),
        GroupConv(wide, width, second),
    ]


def factorisations(width: int, least: int = 2) -> list[list[int]]:
    """Return all ordered ways to write the width as a product of factors ≥ 2."""
    if width == 1:
        return [[]]
    return [
        [k, *rest]
        for k in range(least, width + 1)
        if width % k == 0
        for rest in factorisations(width // k)
    ]


def slow_path_counts(chain: list[Link]) -> np.ndarray:
    product = np.eye(chain[0].in_channels, dtype=np.int64)
    for link in chain:
        if isinstance(link, Permutation):
            matrix = np.eye(link.in_channels, dtype=np.int64)[list(link.order)]
        else:
            shape = (link.out_channels // link.groups, link.in_channels // link.groups)
            matrix = np.kron(np.eye(link.groups, dtype=np.int64), np.ones(shape, np.int64))
        product = matrix @ product
    return product


@given(primary=small, secondary=small, tail=small, data=st.data())
def test_path_counts_are_the_product_of_the_0_1_matrices(primary, secondary, tail, data):
    width = primary * secondary
    order = Permutation(tuple(data.draw(st.permutations(range(width)))))
    chain = [GroupConv(width, 2 * width, primary), shuffle(2, 2 * width)]
    chain += [GroupConv(2 * width, width, secondary), order, GroupConv(width, tail * width, width)]
    assert (path_counts(chain) == slow_path_counts(chain)).all()


def test_path_counts_are_what_ones_as_weights_compute():
    block = igcv2_block(12, 24, [2, 4, 3])
    chain = links_of(block)
    for layer in block:
        if isinstance(layer, nn.Conv2d):
            centre = torch.zeros_like(layer.weight)
            centre[:, :, layer.kernel_size[0] // 2, layer.kernel_size[1] // 2] = 1
            layer.weight.data = centre
    linear = nn.Sequential(*[m for m in block if isinstance(m, nn.Conv2d | ChannelShuffle)])
    response = linear(torch.eye(12).reshape(12, 12, 1, 1)).detach().reshape(12, 24)
    assert (response.T.numpy() == path_counts(chain)).all()


@pytest.mark.parametrize("primary", range(1, 13))
@pytest.mark.parametrize("secondary", range(1, 9))
def test_igcv1_is_strictly_complementary_only_with_the_shuffle(primary, secondary):
    chain = igcv1(primary, secondary)
    assert is_complementary(chain)
    assert composite_sparsity(chain) == 0
    bare = [link for link in chain if isinstance(link, GroupConv)]
    assert is_complementary(bare) == (primary == 1 or secondary == 1)


def test_without_the_shuffle_l24m2_has_two_paths_or_none():
    counts = path_counts([GroupConv(48, 48, 24), GroupConv(48, 48, 2)])
    assert set(counts.flatten()) == {0, 2}


@given(primary=small, secondary=small, data=st.data())
def test_strict_means_what_the_paper_says_in_words(primary, secondary, data):
    width = primary * secondary
    order = data.draw(st.permutations(range(width)))
    partitions = [
        {channel // secondary for channel in order[start : start + primary]}
        for start in range(0, width, primary)
    ]
    # Each secondary partition of L channels draws one channel from each of the L primary ones.
    in_words = all(len(partition) == primary for partition in partitions)
    chain = [
        GroupConv(width, width, primary),
        Permutation(tuple(order)),
        GroupConv(width, width, secondary),
    ]
    assert is_complementary(chain) == in_words


@pytest.mark.parametrize("width", [2, 6, 12, 16, 24, 36, 48, 64])
def test_igcv2_is_complementary_and_permutes_nothing_if_the_sizes_multiply_to_the_width(width):
    for sizes in factorisations(width):
        chain = igcv2(width, sizes)
        assert is_complementary(chain), sizes
        shuffles = [link for link in chain if isinstance(link, Permutation)]
        assert (path_counts(shuffles) == np.eye(width)).all(), sizes


def test_sizes_that_multiply_to_more_give_several_paths():
    counts = path_counts(igcv2(80, [8, 8, 8]))
    assert set(counts.flatten()) == {6, 7}
    assert not is_complementary(igcv2(80, [8, 8, 8]), strict=False)
    assert is_complementary(igcv2(64, [8, 8, 8]), strict=False)


@pytest.mark.parametrize(("width", "reached"), [(416, 416), (832, 512), (1664, 512)])
def test_the_star_network_is_dense_in_its_first_stage_only(width, reached):
    # 38.5 % and 69.2 % of the later stages' composite kernels are zeros.
    sparsity = composite_sparsity(links_of(igcv2_block(width, width, [1, 8, 8, 8])))
    assert sparsity == pytest.approx(1 - reached / width)


@pytest.mark.parametrize("first", [1, 2, 3, 4])
@pytest.mark.parametrize("second", [1, 2, 3, 4])
def test_igcv3_has_as_many_paths_everywhere(first, second):
    for width in range(12, 61, 12):
        for expansion in (1, 2, 6):
            chain = igcv3(width, expansion, first, second)
            if expansion * width % (first * second):
                continue
            assert (path_counts(chain) == expansion * width // (first * second)).all()
            assert is_complementary(chain, strict=False)


def test_without_the_shuffle_half_of_igcv3s_pairs_have_no_path():
    chain = [link for link in igcv3(24, 6, 2, 2) if isinstance(link, GroupConv)]
    assert composite_sparsity(chain) == 0.5
    assert not is_complementary(chain, strict=False)


@given(first=small, second=small, multiple=small, data=st.data())
def test_loose_means_super_channels_of_one_size(first, second, multiple, data):
    width = first * second * multiple
    order = Permutation(tuple(data.draw(st.permutations(range(width)))))
    expand, project = GroupConv(first, width, first), GroupConv(width, second, second)
    sizes = super_channels(expand, order, project)
    assert sizes.sum() == width
    assert (path_counts([expand, order, project]) == sizes.T).all()
    loose = is_complementary([expand, order, project], strict=False)
    assert loose == bool((sizes == multiple).all())


def test_super_channels_of_the_shuffle_have_one_size():
    expand, project = GroupConv(8, 48, 4), GroupConv(48, 6, 2)
    assert (super_channels(expand, shuffle(4, 48), project) == 6).all()
    with pytest.raises(ShapeError, match="widths differ"):
        super_channels(expand, shuffle(4, 40), project)


@given(groups=small, per_group=small)
def test_shuffle_is_that_of_the_module(groups, per_group):
    width = groups * per_group
    moved = ChannelShuffle(groups)(torch.arange(width).reshape(1, width, 1, 1)).flatten()
    assert shuffle(groups, width).order == tuple(moved.tolist())


def test_the_blocks_fulfil_their_conditions():
    assert is_complementary(links_of(igc_block(48, 48, 24)))
    assert is_complementary(links_of(igcv2_block(64, 64, [1, 8, 8])))
    assert is_complementary(links_of(igcv3_block(24, 32)), strict=False)
    assert (path_counts(links_of(igcv3_block(24, 32))) == 36).all()


@pytest.mark.parametrize(
    ("module", "problem"),
    [
        (igc_unit(6, 6, 2), "not a chain"),
        (nn.Sequential(nn.Conv2d(2, 2, 1), nn.Linear(2, 2)), "not a chain"),
        (nn.Sequential(ChannelShuffle(2), nn.Conv2d(4, 4, 1)), "cannot come first"),
    ],
)
def test_only_chains_can_be_read(module, problem):
    with pytest.raises(SpecError, match=problem):
        links_of(module)


def test_two_shuffles_in_a_row_are_read():
    links = links_of(nn.Sequential(nn.Conv2d(6, 6, 1), ChannelShuffle(2), ChannelShuffle(3)))
    assert (path_counts(links[1:]) == np.eye(6)).all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: GroupConv(4, 6, 4),
        lambda: GroupConv(4, 4, 0),
        lambda: Permutation((0, 0, 1)),
        lambda: Permutation((1, 2, 3)),
        lambda: shuffle(3, 7),
        lambda: path_counts([]),
    ],
)
def test_what_is_no_link_is_refused(make):
    with pytest.raises(SpecError):
        make()


def test_neighbours_must_have_one_width():
    with pytest.raises(ShapeError, match=r"link 1.*got 6, expected 4"):
        path_counts([GroupConv(4, 6, 2), GroupConv(4, 4, 2)])
