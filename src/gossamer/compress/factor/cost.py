"""What a layer costs, as it is and as a chain: counted, or measured by a function that is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gossamer.compress.factor.stage import Stages, build_chain
from gossamer.compress.factor.target import Target

MEASURES = ("macs", "parameters", "time")
TimeMs = Callable[[nn.Module, Tensor], float]


@dataclass(frozen=True, eq=False)
class Cost:
    """A measure of layers.

    Zeros of the layer as it is cost nothing: a chain of dense factors has to be cheaper than what
    is left of a pruned layer.

    Args:
        of: "macs", "parameters" (entries of weights) or "time".
        time_ms: of a module on an input (1, C, H, W) or (1, F), for "time".
    """

    of: str
    time_ms: TimeMs | None = None

    def now(self, target: Target) -> float:
        """Return what the layer costs."""
        if self.of == "time":
            return self._time(target, target.layer)
        density = float((target.layer.weight != 0).double().mean())
        return density * self.later(target, (target.stage,))

    def later(self, target: Target, stages: Stages) -> float:
        """Return what a chain in its place would cost."""
        if self.of == "macs":
            return target.macs(stages)
        if self.of == "parameters":
            return sum(stage.weights for stage in stages)
        rng = torch.Generator().manual_seed(target.seed)
        weights = [torch.randn(stage.weight_shape, generator=rng) for stage in stages]
        chain = build_chain(stages, weights, target.layer.bias, target.levels)
        return self._time(target, chain)

    def _time(self, target: Target, module: nn.Module) -> float:
        assert self.time_ms is not None, "the pass asked for it"
        total = 0.0
        for height, width in target.sizes:
            channels, linear = target.stage.in_channels, target.stage.kernel is None
            shape = (height * width, channels) if linear else (1, channels, height, width)
            total += self.time_ms(module, torch.zeros(shape))
        return total
