import numpy as np
import pytest
import torch

from gossamer.compress.blocks.matrix import gather_blocks
from gossamer.compress.blocks.occupancy import Occupancy, occupancy
from gossamer.compress.blocks.registry import ORDERINGS
from gossamer.compress.prune.granularity import Granularity


def counted(matrix: np.ndarray, block: tuple[int, int]) -> Occupancy:
    return occupancy(torch.from_numpy(matrix), Granularity(*block))


@pytest.mark.parametrize("ordering", ["jaccard", "co-cluster"])
@pytest.mark.parametrize("block", [(4, 4), (4, 2), (8, 1)])
def test_blocks_hidden_by_both_orders_are_found(ordering, block):
    rng = np.random.default_rng(0)
    grid = rng.random((8, 12)) < 0.25
    true = np.kron(grid, np.ones(block)) * rng.uniform(1, 2, (8 * block[0], 12 * block[1]))
    rows, columns = rng.permutation(true.shape[0]), rng.permutation(true.shape[1])
    hidden = true[rows][:, columns]
    assert counted(hidden, block).block_density < 0.6
    rows, columns = gather_blocks(hidden, block, ordering=ordering)
    assert sorted(rows) == list(range(len(rows)))
    assert sorted(columns) == list(range(len(columns)))
    assert counted(hidden[rows][:, columns], block).block_density == 1.0


def test_independent_zeros_cannot_be_gathered():
    """An 8×8 block is empty with probability 0.9^64, one in 850; an order makes it one in five."""
    matrix = np.random.default_rng(0).random((128, 128)) < 0.1
    rows, columns = gather_blocks(matrix, (8, 8))
    found = counted(matrix[rows][:, columns].astype(np.float32), (8, 8))
    assert found.blocks == 256
    assert found.touched > 0.75 * found.blocks
    assert found.block_density < 0.14


def test_every_ordering_takes_part():
    matrix = np.random.default_rng(1).normal(size=(12, 9))
    for ordering in ORDERINGS:
        rows, columns = gather_blocks(matrix, (4, 3), ordering=ordering)
        assert (sorted(rows), sorted(columns)) == (list(range(12)), list(range(9)))
