"""Optimal brain surgeon and its descendants: what a removal costs when the others may move.

Sources: Hassibi & Stork, "Second order derivatives for network pruning: optimal brain surgeon",
1993; Dong et al., "Learning to prune deep neural networks via layer-wise optimal brain surgeon",
2017; Singh & Alistarh, "WoodFisher", 2020; Frantar & Alistarh, "Optimal Brain Compression", 2022.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gossamer.compress.prune.criterion import Evidence, Layers
from gossamer.compress.prune.curvature.fisher import fisher_quadratics
from gossamer.compress.prune.curvature.inputs import input_quadratics
from gossamer.compress.prune.curvature.quadratic import Quadratic, inverse
from gossamer.compress.prune.curvature.removal import removal_scores
from gossamer.compress.prune.granularity import Granularity


@dataclass(frozen=True)
class LayerDiagonal:
    """½·w²·H_jj of the layer's own output error, as a share of its outputs: nothing else moves."""

    needs_data: ClassVar[bool] = True

    def scores(
        self, layers: Layers, evidence: Evidence, granularity: Granularity
    ) -> dict[str, Tensor]:
        """Return ½·w²·H_jj."""
        return _layerwise(layers, evidence, _diagonal_saliency)


@dataclass(frozen=True)
class LayerSurgeon:
    """w²/(2·[H⁻¹]_jj) of the layer's own output error, as such a share: the others move, once."""

    needs_data: ClassVar[bool] = True

    def scores(
        self, layers: Layers, evidence: Evidence, granularity: Granularity
    ) -> dict[str, Tensor]:
        """Return w²/(2·[H⁻¹]_jj)."""
        return _layerwise(layers, evidence, surgeon_saliency)


@dataclass(frozen=True)
class ExactSurgeon:
    """The order in which ExactOBS removes from each filter, the others moving after each removal.

    Losses are shares of the layer's outputs, too. Compensate with "inputs" to have the moved
    weights as well. Time grows as rows · columns³.
    """

    needs_data: ClassVar[bool] = True

    def scores(
        self, layers: Layers, evidence: Evidence, granularity: Granularity
    ) -> dict[str, Tensor]:
        """Return the running maximum of the losses."""
        return _layerwise(layers, evidence, lambda q: removal_scores(q, granularity))


@dataclass(frozen=True)
class WoodFisher:
    """w²/(2·[F⁻¹]_jj) of the network's loss with the empirical Fisher matrix in blocks."""

    needs_data: ClassVar[bool] = True

    def scores(
        self, layers: Layers, evidence: Evidence, granularity: Granularity
    ) -> dict[str, Tensor]:
        """Return w²/(2·[F⁻¹]_jj)."""
        return _scored(layers, fisher_quadratics(layers, evidence), surgeon_saliency)


@dataclass(frozen=True)
class FisherSurgeon:
    """Optimal brain surgeon within blocks of the empirical Fisher matrix, one weight at a time.

    Blocks of weights are judged by the mean over their weights.
    """

    needs_data: ClassVar[bool] = True

    def scores(
        self, layers: Layers, evidence: Evidence, granularity: Granularity
    ) -> dict[str, Tensor]:
        """Return the running maximum of the losses."""
        return _scored(
            layers, fisher_quadratics(layers, evidence), lambda q: removal_scores(q, Granularity())
        )


def surgeon_saliency(quadratic: Quadratic) -> Tensor:
    """Return w²/(2·[H⁻¹]_jj), of the layer's shape."""
    diagonal = inverse(quadratic.curvature).diagonal(dim1=1, dim2=2)
    return quadratic.whole(quadratic.weight.square() / (2 * diagonal[:, None, :]))


def _diagonal_saliency(quadratic: Quadratic) -> Tensor:
    diagonal = quadratic.curvature.diagonal(dim1=1, dim2=2)
    return quadratic.whole(quadratic.weight.square() * diagonal[:, None, :] / 2)


def _scored(
    layers: Layers,
    quadratics: Iterator[tuple[str, Quadratic]],
    score: Callable[[Quadratic], Tensor],
) -> dict[str, Tensor]:
    found = {name: score(quadratic) for name, quadratic in quadratics}
    return {name: found[name] for name in layers}


def _layerwise(
    layers: Layers, evidence: Evidence, score: Callable[[Quadratic], Tensor]
) -> dict[str, Tensor]:
    return _scored(layers, input_quadratics(layers, evidence), lambda q: share(q, score(q)))


def share(quadratic: Quadratic, scores: Tensor) -> Tensor:
    """Return scores as shares of what the whole layer gives out.

    The scale of a layer's outputs says nothing where a norm follows, and would decide everything
    where layers are ranked together.
    """
    return scores / (quadratic.loss(torch.zeros(quadratic.shape)) or 1.0)
