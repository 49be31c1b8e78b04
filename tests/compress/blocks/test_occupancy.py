import torch
from hypothesis import given
from hypothesis import strategies as st

from gossamer.compress.blocks.occupancy import Occupancy, occupancy
from gossamer.compress.prune.granularity import Granularity


@given(
    filters=st.integers(1, 7), columns=st.integers(1, 6), height=st.integers(1, 4),
    width=st.integers(1, 3), groups=st.integers(1, 3), seed=st.integers(0, 99),
)  # fmt: skip
def test_counts_what_a_walk_over_the_blocks_counts(filters, columns, height, width, groups, seed):
    generator = torch.Generator().manual_seed(seed)
    weight = (torch.rand(filters * groups, columns, generator=generator) < 0.3).float()
    nonzeros = touched = entries = blocks = 0
    for group in weight.chunk(groups):
        for rows in group.split(height):
            for block in rows.split(width, dim=1):
                blocks += 1
                nonzeros += int(block.count_nonzero())
                touched += bool(block.any())
                entries += block.numel() * bool(block.any())
    found = occupancy(weight, Granularity(height, width), groups)
    assert found == Occupancy(nonzeros, entries, touched, blocks)


def test_of_nothing_and_of_sums():
    empty = occupancy(torch.zeros(4, 4), Granularity(2, 1))
    assert (empty.touched, empty.block_density) == (0, 1.0)
    full = occupancy(torch.ones(4, 4), Granularity(4, 1))
    assert full.block_density == 1.0
    half = occupancy(torch.eye(2).repeat(2, 1), Granularity(2, 1))
    assert (full + half).block_density == (16 + 4) / (16 + 8)
