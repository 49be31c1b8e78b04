"""Levels for a layer, chosen column by column, each error passed on to the columns to come."""

from __future__ import annotations

import numpy as np

from gossamer.codec.lossy.price import Prices
from gossamer.codec.lossy.problem import LayerProblem


def passing_on(problem: LayerProblem) -> np.ndarray:
    """Return U (G, F, F), upper triangular, UᵀU = H⁻¹: what errors do to the columns to come."""
    # By the factor of H with its columns turned round, for no inverse of H is taken then.
    lower = np.linalg.cholesky(problem.curvature[:, ::-1, ::-1])
    return np.linalg.inv(lower)[:, ::-1, ::-1]


def sweep(
    problem: LayerProblem, upper: np.ndarray, step: float, prices: Prices, bit_cost: float
) -> np.ndarray:
    """Return levels (G, R, F) of one step that give small error at few bits.

    At each column, a level is one of the two nearest or zero: that for which error² / U_jj² and
    `bit_cost` times the level's price are least together. What it leaves is made up for by the
    columns to come: w −= error / U_jj · U_j. So all rows go at once.

    Source: the sweep of Frantar et al., "GPTQ", 2023, with the rate term of Conzelmann & Bamler,
    "Reducing storage of pretrained neural networks by rate-constrained quantization and entropy
    coding", 2025. They price levels by a running coder, column by column; here prices are fixed
    in a sweep, and of classes that the finished levels of the sweep before have formed.

    Args:
        problem: of the layer.
        upper: U, of `passing_on`.
        step: between levels, > 0.
        prices: of levels.
        bit_cost: of a bit, in squared error.
    """
    rest, levels = problem.target.copy(), np.zeros(problem.target.shape, np.int64)
    for j in range(rest.shape[2]):
        spread = upper[:, j, j, None]
        cost = bit_cost * (spread / step) ** 2
        level = _choose(rest[:, :, j] / step, prices, prices.classes[:, :, j], cost)
        level[problem.fixed[:, :, j]] = 0
        error = (rest[:, :, j] - step * level) / spread
        rest[:, :, j:] -= error[:, :, None] * upper[:, j, None, j:]
        levels[:, :, j] = level
    return levels


def _choose(
    wanted: np.ndarray, prices: Prices, classes: np.ndarray, bit_cost: np.ndarray
) -> np.ndarray:
    """Return the level with the least of (wanted − level)² + bit_cost · bits."""
    below = np.floor(wanted)
    levels = np.stack([below, below + 1, np.zeros_like(below)]).astype(np.int64)
    levels = np.clip(levels, -prices.largest, prices.largest)
    cost = (wanted - levels) ** 2 + bit_cost * prices.table[classes, levels + prices.largest]
    return np.take_along_axis(levels, cost.argmin(axis=0)[None], axis=0)[0]
