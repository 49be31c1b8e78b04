"""Weights as small integers with a scale for each output channel, and inputs on 256 levels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from gossamer.compress.contract import Context, check_data
from gossamer.compress.layers import match_layers
from gossamer.compress.prune.criterion import Evidence, Layers
from gossamer.compress.prune.curvature.inputs import input_quadratics
from gossamer.compress.prune.mask import HoldZeros
from gossamer.compress.quantise.grid import CALIBRATIONS, channel_scales, to_grid
from gossamer.compress.quantise.layers import can_round, round_input
from gossamer.compress.quantise.learned_rounding import learn_rounding
from gossamer.compress.quantise.ranges import input_levels
from gossamer.compress.quantise.straight_through import Rounding, StraightThrough
from gossamer.compress.train_on import train_on
from gossamer.errors import PassError
from gossamer.graph.quantise.options import QuantiseOptions
from gossamer.train.recipe import Recipe

ROUNDINGS = ("nearest", "learned")
_TRAINING = Recipe(epochs=0, learning_rate=1e-3, weight_decay=0.0)


@dataclass(frozen=True)
class QuantiseLayers:
    """Round weights to integers, inputs of layers to levels if asked, and train on if asked.

    Weights are symmetric and per output channel, and zeros stay zeros. A rounded weight is an
    ordinary float weight whose values lie on a grid; export reads integers and scales off it. A
    layer that rounds its input becomes a `RoundedConv2d` or `RoundedLinear` of the same parameters.
    Both go together with passes before and after: training keeps weights on their grid, and what
    is removed from them is a zero on it. A pass that gives weights other values (compensation,
    sharing, factors) takes them off.

    Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-
    Arithmetic-Only Inference", 2018; per channel, Krishnamoorthi 2018. While training, they let
    ranges move with a running average and fold norms; here scales stay as calibrated, and norms
    are folded on export, into the scales.

    Args:
        bits: of the integers, 2…8; the largest is 2^(bits − 1) − 1, the smallest its negative.
        calibration: "minmax", "percentile" or "mse", for weights; see `channel_scales`.
        percentile: 50…100, for weights and for inputs.
        rounding: "nearest", or "learned" from what layers give on some pictures (AdaRound); see
            `learn_rounding`.
        steps: of learning, ≥ 1.
        inputs: whether to round what layers read, to 256 levels.
        input_calibration: the same names, for inputs.
        images: training pictures to look at, at most, ≥ 1.
        include: regular expressions of layer names.
        exclude: regular expressions of layer names to leave alone.
        training: how to train on with everything rounded; not at all by default.
    """

    name: ClassVar[str] = "quantise"

    bits: int = 8
    calibration: str = "mse"
    percentile: float = 99.99
    rounding: str = "nearest"
    steps: int = 200
    inputs: bool = False
    input_calibration: str = "mse"
    images: int = 256
    include: tuple[str, ...] = (".*",)
    exclude: tuple[str, ...] = ()
    training: Recipe = _TRAINING

    def check(self, model: nn.Module, context: Context) -> None:
        """Raise PassError if the pass cannot do what it is asked."""
        for what, value, known in (
            ("calibration", self.calibration, CALIBRATIONS),
            ("input_calibration", self.input_calibration, CALIBRATIONS),
            ("rounding", self.rounding, ROUNDINGS),
        ):
            if value not in known:
                raise PassError(f"unknown {what}", where=self.name, got=value, expected=known)
        for what, number, low, high in (
            ("bits", self.bits, 2, 8),
            ("percentile", self.percentile, 50, 100),
            ("steps", self.steps, 1, 10**6),
            ("images", self.images, 1, 10**9),
        ):
            if not low <= number <= high:
                expected = f"{low}…{high}"
                raise PassError(
                    f"{what} out of range", where=self.name, got=number, expected=expected
                )
        if (self.inputs or self.rounding == "learned") and context.data is None:
            raise PassError("looking at pictures needs data", where=self.name, hint="pass data=…")
        check_data(self.name, self.training, context)
        match_layers(model, self.include, self.exclude, where=self.name)

    def apply(self, model: nn.Module, context: Context) -> nn.Module:
        """Quantise in place."""
        layers = match_layers(model, self.include, self.exclude, where=self.name)
        split = context.data.train if context.data is not None else None
        evidence = Evidence(model, split, self.images, seed=context.seed)
        scales = {
            name: channel_scales(layer.weight, self.largest, self.calibration, self.percentile)
            for name, layer in layers.items()
        }
        roundings: dict[str, Rounding] = {
            name: partial(to_grid, scales=own, largest=self.largest) for name, own in scales.items()
        }
        learned = self._learned(layers, scales, evidence)
        before = {name: layer.weight.detach().clone() for name, layer in layers.items()}
        straight = StraightThrough(layers, roundings, learned)
        _tell_noise(before, layers, context)
        if self.inputs:
            self._round_inputs(layers, evidence, context)
        hooks = (HoldZeros(model), straight)
        train_on(model, context, self.training, hooks, free=tuple(layers))
        return model

    @property
    def largest(self) -> int:
        """The largest integer of a weight."""
        return 2 ** (self.bits - 1) - 1

    def _learned(
        self, layers: Layers, scales: Mapping[str, Tensor], evidence: Evidence
    ) -> dict[str, Tensor]:
        """Return weights whose rounding was learned, none if it is not to be."""
        if self.rounding == "nearest":
            return {}
        return {
            name: learn_rounding(quadratic, scales[name], self.largest, steps=self.steps)
            for name, quadratic in input_quadratics(layers, evidence)
        }

    def _round_inputs(self, layers: Layers, evidence: Evidence, context: Context) -> None:
        plain = {name: layer for name, layer in layers.items() if can_round(layer)}
        options = QuantiseOptions(self.input_calibration, self.percentile)
        levels = input_levels(plain, evidence, options)
        for name, layer in layers.items():
            if name in levels:
                round_input(layer, levels[name])
            else:
                reason = "does not run" if name in plain else f"is a {type(layer).__name__}"
                context.tell(name, f"its input is not rounded: it {reason}")
        context.tell("rounded_inputs", len(levels))

    def got(self, model: nn.Module) -> Mapping[str, float]:
        """Return the sparsity of the matched layers, rounding to zero included."""
        layers = match_layers(model, self.include, self.exclude, where=self.name)
        zeros = sum(int((layer.weight == 0).sum()) for layer in layers.values())
        return {"sparsity": zeros / sum(layer.weight.numel() for layer in layers.values())}


def _tell_noise(before: Mapping[str, Tensor], layers: Layers, context: Context) -> None:
    """Tell the largest share of a layer's energy that rounding its weights changed."""
    shares = []
    with torch.no_grad():
        for name, layer in layers.items():
            energy = before[name].double().square().sum().clamp(min=1e-300)
            shares.append(float((layer.weight - before[name]).double().square().sum() / energy))
    context.tell("largest_noise_share", max(shares))
