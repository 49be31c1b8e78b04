"""A spatial convolution between a narrower pair of widths."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from gossamer.compress.factor.method import Choice
from gossamer.compress.factor.ranks import Ranked
from gossamer.compress.factor.spectrum import Spectrum
from gossamer.compress.factor.stage import Stages
from gossamer.compress.factor.svd import SVD, even
from gossamer.compress.factor.target import Target

_SWEEPS, _TOLERANCE = 25, 1e-7


class Tucker(Ranked):
    """1×1 (C → p), the window (p → q), 1×1 (q → K): W ≈ core ×₁ U ×₂ V.

    The factors start from the singular vectors of the two unfoldings (HOSVD) and are then improved
    in turn (HOOI), which never loses. A rank that is full leaves its 1×1 convolution out. A matrix
    (a linear layer or a 1×1 kernel) has one rank, that of its SVD.

    What is expected to be lost is what HOSVD loses, a bound on what HOOI does.

    Source: Kim et al., "Compression of Deep Convolutional Neural Networks for Fast and Low Power
    Mobile Applications", 2016, section 3; De Lathauwer, De Moor & Vandewalle, 2000, for HOSVD and
    HOOI.
    """

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.svd = SVD(target) if target.taps == (1, 1) else None

    @property
    def full(self) -> Choice:
        """Return C and K of a group."""
        _, kernels, channels, *_ = self.target.weight.shape
        return self.svd.full if self.svd else (channels, kernels)

    def stages(self, choice: Choice) -> Stages:
        """Return the three convolutions, without those that would keep a width."""
        if self.svd:
            return self.svd.stages(choice)
        stage, groups = self.target.stage, self.target.groups
        before, behind = (groups * rank for rank in choice)
        first, middle, last = (
            stage.point(stage.in_channels, before, groups),
            stage.between(before, behind, groups),
            stage.point(behind, stage.out_channels, groups),
        )
        left = () if before == stage.in_channels else (first,)
        return (*left, middle) if behind == stage.out_channels else (*left, middle, last)

    @cached_property
    def spectra(self) -> tuple[Spectrum, ...]:
        """Return the spectra of the unfoldings by input and by output channels."""
        if self.svd:
            return self.svd.spectra
        return Spectrum.of(_by_inputs(self.target.weight)), Spectrum.of(self.target.matrix)

    @cached_property
    def kept(self) -> np.ndarray:
        """Return the energy that HOSVD keeps at each pair of ranks (C/G+1, K/G+1)."""
        weight = self.target.weight
        inputs, outputs = _vectors(_by_inputs(weight)), _vectors(weight.flatten(2))
        core = _inner(_outer(weight, outputs), inputs)
        energies = core.square().sum((0, 3, 4)).mT.numpy()
        return np.pad(energies.cumsum(0).cumsum(1), ((1, 0), (1, 0)))

    def loss(self, choice: Choice) -> float:
        """Return the share of the energy that HOSVD of these ranks loses."""
        if self.svd:
            return self.svd.loss(choice)
        return float(1 - self.kept[choice] / self.target.weight.square().sum())

    def weights(self, choice: Choice) -> list[Tensor]:
        """Return a weight for each stage."""
        if self.svd:
            return self.svd.weights(choice)
        weight, (before, behind) = self.target.weight, choice
        inputs, outputs = _factors(weight, before, behind)
        core, first = weight, []
        if before < weight.shape[2]:
            core, first = _inner(core, inputs), [inputs.mT]
        if behind == weight.shape[1]:
            return [*first, core]
        core = _outer(core, outputs)
        scaled, last = even(core.flatten(2), outputs)
        return [*first, scaled, last]


def _factors(weight: Tensor, before: int, behind: int) -> tuple[Tensor, Tensor]:
    """Return orthonormal (G, C/G, p) and (G, K/G, q)."""
    inputs = _vectors(_by_inputs(weight))[..., :before]
    outputs = _vectors(weight.flatten(2))[..., :behind]
    kept = 0.0
    for _ in range(_SWEEPS):
        inputs = _vectors(_by_inputs(_outer(weight, outputs)))[..., :before]
        outputs = _vectors(_inner(weight, inputs).flatten(2))[..., :behind]
        found = float(_inner(_outer(weight, outputs), inputs).square().sum())
        if found <= kept * (1 + _TOLERANCE):
            break
        kept = found
    return inputs, outputs


def _vectors(matrix: Tensor) -> Tensor:
    """Return all left singular vectors (G, m, m), more than the rank of a tall matrix has."""
    return torch.linalg.eigh(matrix @ matrix.mT).eigenvectors.flip(-1)


def _by_inputs(weight: Tensor) -> Tensor:
    """Return (G, K, C, R, S) as (G, C, K·R·S)."""
    return weight.transpose(1, 2).flatten(2)


def _outer(weight: Tensor, outputs: Tensor) -> Tensor:
    """Return the weight with outputs projected: (G, q, C, R, S)."""
    return torch.einsum("gkcrs,gkq->gqcrs", weight, outputs)


def _inner(weight: Tensor, inputs: Tensor) -> Tensor:
    """Return the weight with inputs projected: (G, K, p, R, S)."""
    return torch.einsum("gkcrs,gcp->gkprs", weight, inputs)
