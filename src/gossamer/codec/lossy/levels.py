"""A layer's step, levels and bias at a cost of bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gossamer.codec.lossy.options import LossyOptions
from gossamer.codec.lossy.price import Prices, prices_of
from gossamer.codec.lossy.problem import LayerProblem
from gossamer.codec.lossy.sweep import passing_on, sweep
from gossamer.codec.lossy.trellis import sweep_trellis

LARGEST = 2**12
"""Magnitude of a level."""
_COARSER = 2**0.5
_TRELLIS_STEP = 0.6
"""Of the step without: half, for half of the levels are out, and 1 dB for their smaller error."""
_STEP_BITS = 7
_BIAS_SHARE = 0.02


@dataclass(frozen=True, eq=False)
class Levels:
    """What a layer's filters are coded as.

    Args:
        integers: (G, R, F).
        step: between levels; few of its mantissa's bits are in use.
        cost: error plus the cost of the bits, as priced.
    """

    integers: np.ndarray
    step: float
    cost: float

    @property
    def filters(self) -> np.ndarray:
        """The values (G, R, F)."""
        return self.integers * self.step


def choose_levels(
    problem: LayerProblem, shape: tuple[int, ...], bit_cost: float, options: LossyOptions
) -> Levels:
    """Return the levels of the step at which error and bits cost least together.

    The first step tried is that of high rates, where error falls by 2 ln 2 of itself a bit and is
    step² / 12 in each of the directions that U makes independent. From there steps grow or shrink
    by √2 while that is cheaper. Then, if asked, the lowest bits are told by a trellis: the error is
    smaller by about a decibel at the same bits, of which a larger step takes its share.

    Args:
        problem: of the layer.
        shape: of its weight.
        bit_cost: squared error that a bit is worth.
        options: thrift, rounds.
    """
    upper = passing_on(problem)

    def at(step: float) -> Levels:
        return _levels_at(problem, upper, shape, _few_bits(step), bit_cost, options)

    heights = 2 * np.log(np.einsum("gff->gf", upper)).mean()
    best = at(float(np.sqrt(6 * bit_cost / np.log(2) * np.exp(heights))))
    for factor in (_COARSER, 1 / _COARSER):
        improved = False
        while (tried := at(best.step * factor)).cost < best.cost:
            best, improved = tried, True
        if improved:
            break
    if not options.trellis or problem.fixed.any():
        return best
    step = _few_bits(_TRELLIS_STEP * best.step)
    told = _levels_at(problem, upper, shape, step, bit_cost, options, told=True)
    return min(best, told, key=lambda levels: levels.cost)


def _levels_at(
    problem: LayerProblem,
    upper: np.ndarray,
    shape: tuple[int, ...],
    step: float,
    bit_cost: float,
    options: LossyOptions,
    told: bool = False,
) -> Levels:
    step = max(step, float(np.abs(problem.target).max()) / (LARGEST // 2), 1e-30)
    levels = np.where(problem.fixed, 0, np.rint(problem.target / step)).astype(np.int64)
    choose = sweep_trellis if told else sweep
    for _ in range(options.rounds):
        prices = _prices(levels, shape, told)
        levels = choose(problem, upper, step, prices, options.thrift * bit_cost)
    bits = _prices(levels, shape, told).total(levels)
    error = float(problem.errors(levels * step).sum())
    return Levels(levels, step, error + bit_cost * bits)


def _prices(levels: np.ndarray, shape: tuple[int, ...], told: bool = False) -> Prices:
    largest = min(2 * int(np.abs(levels).max()) + 2, LARGEST)
    return prices_of(np.clip(levels, -largest, largest), shape, largest, told=told)


def _few_bits(step: float) -> float:
    """Return a step with a short mantissa, so that it takes two bytes or less of a file."""
    mantissa, exponent = np.frexp(step)
    return float(np.ldexp(np.rint(mantissa * 2**_STEP_BITS), int(exponent) - _STEP_BITS))


def rounded_bias(problem: LayerProblem, levels: Levels) -> np.ndarray:
    """Return the layer's biases (K,), rounded to a power of two that adds two percent of its error.

    Where the levels make no error, the biases keep their bits.
    """
    bias = problem.bias(levels.filters).ravel()
    error = float(problem.errors(levels.filters).mean())
    if error <= 0:
        return bias.astype(np.float32)
    unit = 2.0 ** np.floor(np.log2(np.sqrt(12 * _BIAS_SHARE * error)))
    return (np.rint(bias / unit) * unit).astype(np.float32)
