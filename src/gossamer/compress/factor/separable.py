"""A spatial convolution as a vertical and a horizontal one."""

from __future__ import annotations

from functools import cached_property

from torch import Tensor

from gossamer.compress.factor.method import Choice
from gossamer.compress.factor.ranks import Ranked
from gossamer.compress.factor.spectrum import Spectrum, principal
from gossamer.compress.factor.stage import Stages
from gossamer.compress.factor.svd import even


class Separable(Ranked):
    """W[k, c, i, j] ≈ Σ_r h[k, r, j] · v[r, c, i]: R×1 (C → r), then 1×S (r → K).

    Stride, padding and dilation go with their axis. The rank-r approximation of the matrix
    (C·R, S·K) is the best there is. Of a depthwise convolution each channel's kernel becomes a
    column times a row.

    Source: Jaderberg, Vedaldi & Zisserman, "Speeding up Convolutional Neural Networks with Low Rank
    Expansions", 2014, scheme 2, which they optimise step by step; Tai et al., "Convolutional neural
    networks with low-rank regularization", 2016, theorem 1, for the closed form.
    """

    def reason(self) -> str | None:
        """Return that the kernel has one axis, if it has."""
        taps = self.target.taps
        return None if min(taps) > 1 else f"a kernel of {taps[0]}×{taps[1]} has nothing to separate"

    @property
    def full(self) -> Choice:
        """Return min(C·R, S·K)."""
        return (min(self.matrix.shape[1:]),)

    def stages(self, choice: Choice) -> Stages:
        """Return the vertical and the horizontal convolution."""
        stage, groups = self.target.stage, self.target.groups
        middle = groups * choice[0]
        return (
            stage.along(0, (stage.in_channels, middle), groups),
            stage.along(1, (middle, stage.out_channels), groups),
        )

    @cached_property
    def matrix(self) -> Tensor:
        """Return the weight as (G, C/G·R, S·K/G)."""
        return self.target.weight.permute(0, 2, 3, 4, 1).flatten(3).flatten(1, 2)

    @cached_property
    def basis(self) -> tuple[Tensor, Tensor]:
        """Return orthonormal vertical kernels (G, C/G·R, L) by falling energy, and the energies."""
        return principal(self.matrix)

    @cached_property
    def spectra(self) -> tuple[Spectrum, ...]:
        """Return the spectrum of that matrix."""
        return (Spectrum.of(self.matrix, self.basis[1]),)

    def weights(self, choice: Choice) -> list[Tensor]:
        """Return v and h."""
        kept = self.basis[0][:, :, : choice[0]]
        across, down = even(kept.mT @ self.matrix, kept)
        horizontal = across.unflatten(2, (self.target.taps[1], -1)).permute(0, 3, 1, 2)
        return [down.mT, horizontal]
