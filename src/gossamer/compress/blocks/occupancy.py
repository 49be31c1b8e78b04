"""How full the blocks of a weight are that a kernel cannot skip."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from gossamer.compress.prune.granularity import Granularity


@dataclass(frozen=True)
class Occupancy:
    """The nonzeros of some weights, and the blocks that they touch.

    Args:
        nonzeros: entries that are not zero.
        touched_entries: entries of all blocks that hold a nonzero, zeros included.
        touched: blocks that hold a nonzero.
        blocks: all blocks.
    """

    nonzeros: int = 0
    touched_entries: int = 0
    touched: int = 0
    blocks: int = 0

    @property
    def block_density(self) -> float:
        """Nonzeros over entries of the blocks that they touch, 0…1; 1 where nothing is touched."""
        return self.nonzeros / self.touched_entries if self.touched_entries else 1.0

    def __add__(self, other: Occupancy) -> Occupancy:
        return Occupancy(
            self.nonzeros + other.nonzeros,
            self.touched_entries + other.touched_entries,
            self.touched + other.touched,
            self.blocks + other.blocks,
        )


def occupancy(weight: Tensor, block: Granularity, groups: int = 1) -> Occupancy:
    """Count blocks.

    Args:
        weight: (K, C/G, R, S) or (K, F), any values; zeros are what does not count.
        block: rows and columns of the matrix (K, C/G·R·S).
        groups: G.

    Examples:
        >>> import torch
        >>> occupancy(torch.tensor([[1.0, 0, 0], [2, 0, 3]]), Granularity(rows=2))
        Occupancy(nonzeros=3, touched_entries=4, touched=2, blocks=3)
    """
    labels = block.labels(weight.shape, groups).flatten()
    sizes = labels.bincount()
    nonzero = (weight.detach() != 0).flatten().cpu()
    touched = labels[nonzero].unique()
    return Occupancy(int(nonzero.sum()), int(sizes[touched].sum()), len(touched), len(sizes))
