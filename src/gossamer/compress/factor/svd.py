"""A layer as two: its window with few outputs, and those mixed by 1×1."""

from __future__ import annotations

from functools import cached_property

from torch import Tensor

from gossamer.compress.factor.method import Choice
from gossamer.compress.factor.ranks import Ranked
from gossamer.compress.factor.spectrum import Spectrum, principal
from gossamer.compress.factor.stage import Stages


class SVD(Ranked):
    """W ≈ B A of rank r: A is the layer's window (C → r), B is 1×1 (r → K).

    Of a convolution the matrix is (K, C·R·S); of a linear layer both factors are linear layers. It
    is the best of its rank in ‖W − B A‖² (Eckart & Young, 1936); singular values are split evenly.
    Saves weights where r < K·F/(K + F).

    Source: Denil et al., "Predicting Parameters in Deep Learning", 2013; Zhang et al.,
    "Accelerating Very Deep Convolutional Networks", 2015, for the window in the first factor.
    """

    @property
    def full(self) -> Choice:
        """Return min(K, F)."""
        return (min(self.target.matrix.shape[1:]),)

    def stages(self, choice: Choice) -> Stages:
        """Return the window and the 1×1 convolution."""
        (rank,), stage, groups = choice, self.target.stage, self.target.groups
        first = stage.between(stage.in_channels, groups * rank, groups)
        return first, stage.point(groups * rank, stage.out_channels, groups)

    @cached_property
    def basis(self) -> tuple[Tensor, Tensor]:
        """Return orthonormal outputs (G, K/G, L) by falling energy, and the energies."""
        return principal(self.target.matrix)

    @cached_property
    def spectra(self) -> tuple[Spectrum, ...]:
        """Return the spectrum of the matrix."""
        return (Spectrum.of(self.target.matrix, self.basis[1]),)

    def weights(self, choice: Choice) -> list[Tensor]:
        """Return A and B: what projects the layer's outputs on the first r of the basis."""
        kept = self.basis[0][:, :, : choice[0]]
        return list(even(kept.mT @ self.target.matrix, kept))


def even(first: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
    """Return factors (…, r, F) and (…, K, r) scaled so that each inner channel has equal norms.

    Their product stays. Gradient steps are then of like size in both.
    """
    norms = first.norm(dim=-1) / last.norm(dim=-2).clamp(min=1e-300)
    scale = norms.sqrt().where(norms > 0, 1.0)
    return first / scale[..., :, None], last * scale[..., None, :]
