"""What decompositions with ranks share: the walk from full ranks down, and the ranks of noise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import ClassVar

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

    @property
    def full(self) -> Choice:
        """Return the largest ranks there are, by the layer's shape."""
        raise NotImplementedError

    def least(self, multiple: int) -> Choice:
        """Return the lowest ranks."""
        return tuple(min(multiple, full) for full in self.full)

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

    def loss(self, choice: Choice) -> float:
        """Return the share of the energy that these ranks are expected to lose."""
        return float(self.spectra[0].losses[choice[0]])

    def noise_ranks(self) -> tuple[int, ...]:
        """Return the ranks by EVBMF, 0 where all is noise."""
        return tuple(spectrum.noise_rank for spectrum in self.spectra)

    def noise_choice(self, multiple: int) -> Choice | None:
        """Return the ranks by EVBMF, rounded up as far as there are ranks; None if all is noise."""
        ranks = self.noise_ranks()
        if 0 in ranks:
            return None
        pairs = zip(ranks, self.full, strict=True)
        return tuple(min(-(-rank // multiple) * multiple, full) for rank, full in pairs)

    def candidates(self, multiple: int) -> list[Candidate]:
        """Return ranks from full to least."""
        return list(descend(self.full, self.loss, multiple))


def descend(full: Choice, loss: Callable[[Choice], float], multiple: int) -> Iterator[Candidate]:
    """Yield ranks, the full ones first, then always the one lower that loses least.

    Of several ranks, what one step loses counts relative to the share of that rank which it gives
    up, so that long and short sides of a layer shrink alike.

    Args:
        full: the largest ranks.
        loss: of ranks.
        multiple: ranks are multiples of it, except full ones.

    Examples:
        >>> [c.choice for c in descend((5,), lambda ranks: 1 - ranks[0] / 5, 2)]
        [(5,), (4,), (2,)]
    """
    ranks, lost = full, loss(full)
    while True:
        yield Candidate(ranks, min(max(lost, 0.0), 1.0))
        steps = []
        for i, rank in enumerate(ranks):
            lower = (rank - 1) // multiple * multiple
            if lower >= 1:
                changed = (*ranks[:i], lower, *ranks[i + 1 :])
                then = loss(changed)
                steps.append(((then - lost) * full[i] / (rank - lower), changed, then))
        if not steps:
            return
        _, ranks, lost = min(steps)
