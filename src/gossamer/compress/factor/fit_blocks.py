"""The best matrix whose blocks all have a low rank, for the inputs that it has.

A group convolution, a permutation and a 1×1 group convolution multiply to such a matrix: with g
groups in the first, m in the second, and e channels between each pair of groups, the block of the
weight that leads from one first group to one second group is a product of e columns and e rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gossamer.compress.factor.spectrum import principal

_SWEEPS, _TOLERANCE = 20, 1e-4


@dataclass(frozen=True, eq=False)
class Blocks:
    """A product U V of blocks.

    Args:
        first: V (B, g, m, e, F/g): what each pair of groups reads.
        last: U (B, g, m, n/m, e): what it writes.
        loss: share of the outputs' energy that the product lacks.
    """

    first: Tensor
    last: Tensor
    loss: float


def block_energies(weight: Tensor, moment: Tensor, parts: int, rows: int) -> Tensor:
    """Return the energies of the outputs by blocks, each on its own inputs.

    Args:
        weight: (n, F) float64.
        moment: (F, F) positive semi-definite.
        parts: g, must divide F.
        rows: m, must divide n.

    Returns:
        (g, m, min(n/m, F/g)), falling.
    """
    blocks = weight.unflatten(1, (parts, -1)).unflatten(0, (rows, -1)).permute(2, 0, 1, 3)
    own = torch.linalg.cholesky(_diagonal_blocks(moment[None], parts)[0])
    scaled = blocks @ own[:, None]
    wide = scaled.shape[2] <= scaled.shape[3]
    gram = scaled @ scaled.mT if wide else scaled.mT @ scaled
    return torch.linalg.eigvalsh(gram).flip(-1).clamp(min=0)


def fit_blocks(weight: Tensor, moment: Tensor, parts: int, rows: int, rank: int) -> Blocks:
    """Return blocks of rank e whose product changes the outputs least, by turns.

    Starts from the best blocks for their own inputs alone. Then the blocks of one first group are
    solved for exactly while the others are held, as in `WeightedSVD`: the least-squares solution
    for what the others leave, projected on its principal outputs. Each step lowers
    mean ‖(W − U V) x‖². Where inputs of different groups do not correlate, the start is the
    optimum: the projection by an SVD of each block.

    Source: the blocks are those of Zhang et al., "Interleaved Group Convolutions", 2017, section 3;
    Dao et al., "Monarch", 2022, section 3.2, have the projection of a matrix on such products.

    Args:
        weight: (B, n, F) float64.
        moment: (B, F, F) positive definite.
        parts: g, must divide F.
        rows: m, must divide n.
        rank: e ≥ 1.
    """
    factor = torch.linalg.cholesky(_diagonal_blocks(moment, parts))
    split = weight.unflatten(2, (parts, -1))
    found = torch.empty_like(split)  # (B, n, g, F/g)
    bases = [torch.empty(0)] * parts
    for part in range(parts):
        found[:, :, part], bases[part] = _project(split[:, :, part], factor[:, part], rows, rank)
    rest = split - found
    energy, loss, before = float((weight @ moment * weight).sum()), 1.0, float("inf")
    for _ in range(_SWEEPS):
        for part in range(parts):
            slope = rest.flatten(2) @ moment.unflatten(2, (parts, -1))[:, :, part]
            target = found[:, :, part] + torch.cholesky_solve(slope.mT, factor[:, part]).mT
            found[:, :, part], bases[part] = _project(target, factor[:, part], rows, rank)
            rest[:, :, part] = split[:, :, part] - found[:, :, part]
        loss = float((rest.flatten(2) @ moment * rest.flatten(2)).sum()) / energy
        if before - loss <= _TOLERANCE * loss:
            break
        before = loss
    last = torch.stack(bases, 1)
    first = last.mT @ found.movedim(2, 1).unflatten(2, (rows, -1))
    return Blocks(first, last, loss)


def _project(target: Tensor, factor: Tensor, rows: int, rank: int) -> tuple[Tensor, Tensor]:
    """Return (B, n, f) with blocks of rows of that rank, and their bases (B, m, n/m, e)."""
    blocks = target.unflatten(1, (rows, -1))
    kept = principal(blocks @ factor[:, None])[0][..., :rank]
    return (kept @ (kept.mT @ blocks)).flatten(1, 2), kept


def _diagonal_blocks(moment: Tensor, parts: int) -> Tensor:
    """Return (B, F, F) as (B, g, F/g, F/g)."""
    tiles = moment.unflatten(2, (parts, -1)).unflatten(1, (parts, -1))
    return tiles.diagonal(dim1=1, dim2=3).movedim(-1, 1)
