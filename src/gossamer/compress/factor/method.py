"""What a decomposition is.

A *choice* is what a decomposition has to be told: its ranks, or its partition. A *candidate* is a
choice with what it is expected to lose. All methods work on each group of a grouped convolution.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

from torch import Tensor

from gossamer.compress.factor.stage import Stages
from gossamer.compress.factor.target import Target

Choice = tuple[int, ...]


@dataclass(frozen=True)
class Candidate:
    """One way to replace a layer.

    Args:
        choice: ranks or partition.
        loss: share of the layer's energy that it is expected to lose, 0…1: of its weights, or of
            its outputs where the method looks at data.
    """

    choice: Choice
    loss: float


class Method(Protocol):
    """A decomposition of one layer."""

    needs_data: ClassVar[bool]
    target: Target

    def reason(self) -> str | None:
        """Return why the method is not for this layer, or None."""
        ...

    def least(self, multiple: int) -> Choice:
        """Return the cheapest choice, without any work on weights."""
        ...

    def stages(self, choice: Choice) -> Stages:
        """Return what stands in the layer's place: the last stage gives the layer's outputs."""
        ...

    def candidates(self, multiple: int) -> list[Candidate]:
        """Return choices worth considering, from dear to cheap.

        Args:
            multiple: ranks are multiples of it where they are not full.
        """
        ...

    def noise_choice(self, multiple: int) -> Choice | None:
        """Return the choice that analysis of noise (EVBMF) makes, or None if it finds no signal."""
        ...

    def weights(self, choice: Choice) -> list[Tensor]:
        """Return a weight for each stage, in its shape, float64."""
        ...


NewMethod = Callable[[Target], Method]
