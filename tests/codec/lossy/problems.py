"""Layers to be coded, small enough to look at every way."""

from __future__ import annotations

import numpy as np

from gossamer.codec.lossy.price import Prices
from gossamer.codec.lossy.problem import LayerProblem


def problem_of(target, curvature):
    groups, rows, size = target.shape
    curvature = np.broadcast_to(curvature, (groups, size, size)).astype(np.float64)
    zeros = (np.zeros((groups, size)), np.zeros((groups, rows)))
    return LayerProblem(target, curvature, np.zeros(target.shape, bool), *zeros)


def correlated(rng, size, samples=30, damping=1e-3):
    x = rng.standard_normal((samples, size)) @ rng.standard_normal((size, size))
    return x.T @ x / samples + damping * np.eye(size)


def flat_prices(shape, largest=64):
    return Prices(np.full((1, 2 * largest + 1), 3.0), np.zeros(shape, np.intp))
