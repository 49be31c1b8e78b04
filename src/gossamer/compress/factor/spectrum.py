"""Energies of matrices: what a rank keeps of them, and which rank is more than noise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from gossamer.compress.factor.evbmf import evbmf_rank


def principal(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Return left singular vectors (…, m, L) and squared singular values (…, L), falling.

    By the eigenvalues of the smaller Gram matrix: precise to 1e-16 of the largest energy.

    Args:
        matrix: float64 (…, m, n); L = min(m, n).

    Examples:
        >>> principal(torch.tensor([[0.0, 2.0], [1.0, 0.0]], dtype=torch.float64))[1].tolist()
        [4.0, 1.0]
    """
    if matrix.shape[-2] <= matrix.shape[-1]:
        energies, vectors = torch.linalg.eigh(matrix @ matrix.mT)
        return vectors.flip(-1), energies.flip(-1).clamp(min=0)
    energies, right = torch.linalg.eigh(matrix.mT @ matrix)
    return torch.linalg.qr(matrix @ right.flip(-1)).Q, energies.flip(-1).clamp(min=0)


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Squared singular values of G matrices of one shape.

    Args:
        energies: (G, L), falling.
        rows: of each matrix.
        columns: of each matrix.
    """

    energies: np.ndarray
    rows: int
    columns: int

    @classmethod
    def of(cls, matrix: Tensor, energies: Tensor | None = None) -> Spectrum:
        """Return that of matrices (G, m, n), whose energies may be known."""
        rows, columns = matrix.shape[-2:]
        found = principal(matrix)[1] if energies is None else energies
        return cls(found[..., : min(rows, columns)].numpy(), rows, columns)

    @cached_property
    def losses(self) -> np.ndarray:
        """Return for ranks 0 … L the share of all energy that the best matrices lack (L+1,).

        Source: Eckart & Young, 1936: the sum of the squared singular values behind the rank.
        """
        energies = self.energies.sum(0)
        tails = np.append(np.cumsum(energies[::-1])[::-1], 0.0)
        return tails / tails[0] if tails[0] else tails

    @property
    def noise_rank(self) -> int:
        """Return the largest rank that is not noise in any of the matrices, by EVBMF."""
        values = np.sqrt(self.energies)
        return max(evbmf_rank(own, self.rows, self.columns) for own in values)
