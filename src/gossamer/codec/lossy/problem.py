"""What a layer's new weights should do, as a quadratic of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gossamer.codec.lossy.layer import in_chunks, matrix_of, seen_by_filters
from gossamer.codec.lossy.options import LossyOptions
from gossamer.graph import Node

_AT_ONCE = 16


@dataclass(frozen=True, eq=False)
class LayerProblem:
    """mean |V x + c − y|² over what a layer sees now, x, and what it should give, y.

    The bias c takes what is constant, whatever V is, so only deviations from the mean count.

    Args:
        target: the best V, float64 (G, R, F): R filters in each of G groups.
        curvature: covariance of x, (G, F, F), positive definite.
        fixed: (G, R, F), True where a weight is zero and stays so.
        seen: mean of x, (G, F).
        wanted: mean of y, (G, R).
    """

    target: np.ndarray
    curvature: np.ndarray
    fixed: np.ndarray
    seen: np.ndarray
    wanted: np.ndarray

    def bias(self, filters: np.ndarray) -> np.ndarray:
        """Return c (G, R) for some V, so that the outputs have their means."""
        return self.wanted - np.einsum("grf,gf->gr", filters, self.seen)

    def errors(self, filters: np.ndarray) -> np.ndarray:
        """Return what each filter of V adds to the least mean |V x + c − y|², (G, R).

        Examples:
            >>> one = np.ones((1, 1, 2))
            >>> p = LayerProblem(one, np.eye(2)[None], one < 0, np.ones((1, 2)), np.ones((1, 1)))
            >>> p.errors(np.array([[[1.0, 0.5]]])).item(), p.bias(one).item()
            (0.25, -1.0)
        """
        change = filters - self.target
        return np.einsum("grf,grf->gr", change @ self.curvature, change)


def layer_problem(
    node: Node,
    weights: dict[str, np.ndarray],
    before: np.ndarray,
    now: np.ndarray,
    options: LossyOptions,
) -> LayerProblem:
    """Return the problem of a layer from what it saw before and what it sees now.

    y is what the layer gave before anything changed, so that later layers repair what earlier ones
    broke, as in `gossamer.compress.prune.curvature.outputs`. Damping draws towards the weights.

    Args:
        node: the layer.
        weights: of it, dense, by role.
        before: its input in the network as it came in, (N, …).
        now: its input behind layers that are coded already.
        options: damping, places, seed.
    """
    filters, bias = matrix_of(node, weights)
    groups, _, size = filters.shape
    centre: np.ndarray | None = None
    count, moment, cross = 0, np.zeros((groups, size, size)), np.zeros(filters.shape)
    seen, wanted = np.zeros((groups, size)), np.zeros(filters.shape[:2])
    single, rng = filters.astype(np.float32), np.random.default_rng(options.seed)
    shape, at_once = weights["weight"].shape, max(1, -(-options.places * _AT_ONCE // len(now)))
    for chunk in in_chunks(len(now), _AT_ONCE):
        x = seen_by_filters(node, now[chunk], shape)
        kept = np.arange(x.shape[2])
        if len(kept) > at_once:
            kept = np.sort(rng.choice(len(kept), at_once, replace=False))
        x = np.ascontiguousarray(x[:, :, kept])
        if centre is None:  # so that float32 keeps the deviations where the mean is large
            centre = x.mean(axis=2, keepdims=True)
        x -= centre
        y = single @ seen_by_filters(node, before[chunk], shape)[:, :, kept]
        moment += x @ x.transpose(0, 2, 1)
        cross += y @ x.transpose(0, 2, 1)
        seen += x.sum(axis=2, dtype=np.float64)
        wanted += y.sum(axis=2, dtype=np.float64)
        count += len(kept)
    seen, wanted = seen / count, wanted / count
    covariance = moment / count - seen[:, :, None] * seen[:, None, :]
    together = cross / count - wanted[:, :, None] * seen[:, None, :]
    variance = np.maximum(np.einsum("gff->gf", covariance), 0)
    added = options.damping * variance.mean(axis=1) + (variance.mean(axis=1) == 0)
    covariance += added[:, None, None] * np.eye(size)
    together += added[:, None, None] * filters
    target = np.linalg.solve(covariance, together.transpose(0, 2, 1)).transpose(0, 2, 1)
    assert centre is not None
    return LayerProblem(target, covariance, filters == 0, seen + centre[:, :, 0], wanted + bias)
