"""What decompositions with ranks share: the walk from full ranks down, and the ranks of noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import ClassVar

import numpy as np
from torch import Tensor

from gossamer.compress.factor.method import Candidate, Choice
from gossamer.compress.factor.spectrum import Spectrum
from gossamer.compress.factor.stage import Stages
from gossamer.compress.factor.target import Target


class Ranked:
    """A decomposition with one rank for each of some spectra.

    Args:
        target: the layer.
    """

    needs_data: ClassVar[bool] = False

    def __init__(self, target: Target) -> None:
        self.target = target

    def reason(self) -> str | None:
        """Return why the method is not for this layer, or None."""
        return None

    def least(self) -> Choice:
        """Return ranks of one."""
        return (1,)

    def stages(self, choice: Choice) -> Stages:
        """Return what stands in the layer's place."""
        raise NotImplementedError

    def weights(self, choice: Choice) -> list[Tensor]:
        """Return a weight for each stage."""
        raise NotImplementedError

    @cached_property
    def spectra(self) -> tuple[Spectrum, ...]:
        """Return one spectrum a rank."""
        raise NotImplementedError

    def losses(self) -> tuple[np.ndarray, ...]:
        """Return for each rank what 0, 1, … lose."""
        return tuple(spectrum.losses for spectrum in self.spectra)

    def noise_choice(self) -> Choice:
        """Return the ranks by EVBMF."""
        return tuple(spectrum.noise_rank for spectrum in self.spectra)

    def candidates(self, multiple: int) -> list[Candidate]:
        """Return ranks from full to least; the losses of several ranks are added, a bound."""
        return list(descend(self.losses(), multiple))


def descend(losses: Sequence[np.ndarray], multiple: int) -> Iterator[Candidate]:
    """Yield ranks, the full ones first, then always the one lower that loses least.

    Of several ranks, what one step loses counts relative to the share of that rank which it gives
    up, so that long and short sides of a layer shrink alike.

    Args:
        losses: for each rank what 0, 1, …, full lose.
        multiple: ranks are multiples of it, except full ones, and where it is more than full.

    Examples:
        >>> [c.choice for c in descend([np.array([1.0, 0.3, 0.1, 0.0])], 1)]
        [(3,), (2,), (1,)]
    """
    full = [len(own) - 1 for own in losses]
    ranks = list(full)
    while True:
        lost = sum(float(own[rank]) for own, rank in zip(losses, ranks, strict=True))
        yield Candidate(tuple(ranks), min(lost, 1.0))
        lower = [(rank - 1) // multiple * multiple for rank in ranks]
        open_ = [i for i, rank in enumerate(lower) if rank >= 1]
        if not open_:
            return
        step = min(open_, key=lambda i: _price(losses[i], ranks[i], lower[i]) * full[i])
        ranks[step] = lower[step]


def _price(losses: np.ndarray, rank: int, lower: int) -> float:
    return float(losses[lower] - losses[rank]) / (rank - lower)
