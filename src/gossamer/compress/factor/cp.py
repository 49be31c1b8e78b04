"""A spatial convolution as a sum of products of four vectors."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from gossamer.compress.factor.method import Choice
from gossamer.compress.factor.ranks import Ranked
from gossamer.compress.factor.spectrum import Spectrum, principal
from gossamer.compress.factor.stage import Stages

_SWEEPS, _RIDGE, _TOLERANCE, _NOISE = 100, 1e-4, 1e-4, 0.1
_MODES = "kcrs"


class CP(Ranked):
    """1×1 (C → r), R×1 and 1×S on each channel alone, 1×1 (r → K).

    W[k, c, i, j] ≈ Σ_r a[k, r] b[c, r] v[i, r] h[j, r], by alternating least squares with a
    penalty on the factors' norms: without it, components grow without bound and cancel each other.
    Sweeps start near singular vectors, and from seeded noise where a side is shorter than r.

    What is expected to be lost is a lower bound: what the best matrix of that rank loses, in the
    worst of four unfoldings. A kernel with an axis of one tap has one stage for its window.

    Source: Lebedev et al., "Speeding-up Convolutional Neural Networks Using Fine-tuned
    CP-Decomposition", 2015, who minimise by nonlinear least squares; Phan et al., "Stable Low-rank
    Tensor Decomposition for Compression of Convolutional Neural Network", 2020, on the norms.
    """

    def reason(self) -> str | None:
        """Return that the kernel is a matrix, if it is."""
        return "it is a matrix: its CP is its SVD" if self.target.taps == (1, 1) else None

    def stages(self, choice: Choice) -> Stages:
        """Return the four convolutions, or three where the kernel has one axis."""
        stage, groups = self.target.stage, self.target.groups
        middle = groups * choice[0]
        window = [stage.between(middle, middle, middle)]
        if min(self.target.taps) > 1:
            window = [stage.along(axis, (middle, middle), middle) for axis in (0, 1)]
        first = stage.point(stage.in_channels, middle, groups)
        return (first, *window, stage.point(middle, stage.out_channels, groups))

    @cached_property
    def spectra(self) -> tuple[Spectrum, ...]:
        """Return the spectra of the unfoldings k|crs, c|krs, cr|ks and cs|kr."""
        weight = self.target.weight
        orders = ((1, 2, 3, 4, 1), (2, 1, 3, 4, 1), (2, 3, 1, 4, 2), (2, 4, 1, 3, 2))
        unfolded = [
            weight.permute(0, *axes).flatten(rows + 1).flatten(1, rows) for *axes, rows in orders
        ]
        return tuple(Spectrum.of(matrix) for matrix in unfolded)

    @property
    def full(self) -> Choice:
        """Return the rank at which no unfolding loses anything."""
        _, k, c, r, s = self.target.weight.shape
        return (max(min(c * r, k * s), min(c * s, k * r), min(k, c * r * s), min(c, k * r * s)),)

    def loss(self, choice: Choice) -> float:
        """Return what the best matrix of that rank loses in the worst unfolding."""
        each = [spectrum.losses for spectrum in self.spectra]
        return max(float(own[min(choice[0], len(own) - 1)]) for own in each)

    def noise_ranks(self) -> tuple[int, ...]:
        """Return the largest of the unfoldings' ranks."""
        return (max(spectrum.noise_rank for spectrum in self.spectra),)

    def weights(self, choice: Choice) -> list[Tensor]:
        """Return a weight for each stage."""
        rng = np.random.default_rng(self.target.seed)
        found = [cp_als(weight, choice[0], rng) for weight in self.target.weight]
        outputs, inputs, down, across = (torch.stack(factor) for factor in zip(*found, strict=True))
        axes = [own for own in (down.mT, across.mT) if own.shape[2] > 1]
        if down.shape[1] == 1:
            outputs = outputs * down
        if across.shape[1] == 1:
            outputs = outputs * across
        return [inputs.mT, *axes, outputs]


def cp_als(tensor: Tensor, rank: int, rng: np.random.Generator) -> list[Tensor]:
    """Return four factors (size, rank) whose sum of outer products is near a tensor, float64.

    Of T scaled to norm 1, ‖T − Σ a∘b∘v∘h‖² + 1e-4·Σ‖factor‖² is lowered by each sweep. Columns are
    rescaled to equal norms in between, which lowers the penalty. In the end the first factor is
    solved for without it.

    Args:
        tensor: (K, C, R, S) float64; of zeros, all factors are zero.
        rank: ≥ 1.
        rng: of the start.
    """
    norm, before = tensor.norm(), float("inf")
    if not norm:
        return [tensor.new_zeros(size, rank) for size in tensor.shape]
    tensor = tensor / norm
    factors = [_start(tensor, axis, rank, rng) for axis in range(4)]
    for _ in range(_SWEEPS):
        for axis in range(4):
            factors[axis] = _solve(tensor, factors, axis, _RIDGE)
        factors = _balanced(factors)
        now = float((tensor - outer(factors)).square().sum())
        if before - now < _TOLERANCE * now + 1e-12:
            break
        before = now
    factors[0] = _solve(tensor, factors, 0, 1e-9 * _RIDGE) * norm
    return _balanced(factors)


def outer(factors: list[Tensor]) -> Tensor:
    """Return the sum of outer products of the factors' columns."""
    return torch.einsum("kz,cz,rz,sz->kcrs", *factors)


def _start(tensor: Tensor, axis: int, rank: int, rng: np.random.Generator) -> Tensor:
    """Return leading singular vectors of an unfolding, filled up with noise.

    A little noise is on the vectors as well: exact ones may be a saddle that sweeps do not leave.
    """
    vectors = principal(tensor.movedim(axis, 0).flatten(1))[0][:, :rank]
    noise = torch.from_numpy(rng.normal(size=(len(vectors), rank)) / len(vectors) ** 0.5)
    start = noise.clone()
    start[:, : vectors.shape[1]] = vectors + _NOISE * noise[:, : vectors.shape[1]]
    return start


def _solve(tensor: Tensor, factors: list[Tensor], axis: int, ridge: float) -> Tensor:
    """Return the best factor of one axis, the others held."""
    others = [i for i in range(4) if i != axis]
    terms = ",".join(f"{_MODES[i]}z" for i in others)
    given = [factors[i] for i in others]
    right = torch.einsum(f"{_MODES},{terms}->{_MODES[axis]}z", tensor, *given)
    gram = torch.stack([factor.mT @ factor for factor in given]).prod(0)
    gram = gram + ridge * torch.eye(len(gram), dtype=gram.dtype)
    return torch.linalg.solve(gram, right.mT).mT


def _balanced(factors: list[Tensor]) -> list[Tensor]:
    """Return the same product with equal norms in all factors of a component."""
    norms = torch.stack([factor.norm(dim=0).clamp(min=1e-150) for factor in factors])
    mean = norms.log().mean(0).exp()
    return [factor * (mean / norm) for factor, norm in zip(factors, norms, strict=True)]
