"""Modules that torch would trace into pieces, kept whole: norms over channels, k winners."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from gossamer.graph.from_torch.builder import Call
from gossamer.graph.ops import KWinners, LocalResponseNorm
from gossamer.nets.blocks import winners
from gossamer.nets.blocks.threshold import FUNCTIONS


@torch.library.custom_op("gossamer::local_response_norm", mutates_args=())
def _local_response_norm(x: Tensor, size: int, alpha: float, beta: float, k: float) -> Tensor:
    return nn.functional.local_response_norm(x, size, alpha, beta, k)


@_local_response_norm.register_fake
def _(x: Tensor, size: int, alpha: float, beta: float, k: float) -> Tensor:
    return torch.empty_like(x)


class _WholeNorm(nn.Module):
    def __init__(self, norm: nn.LocalResponseNorm) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = norm.size, norm.alpha, norm.beta, norm.k

    def forward(self, x: Tensor) -> Tensor:
        return _local_response_norm(x, self.size, self.alpha, self.beta, self.k)


@torch.library.custom_op("gossamer::k_winners", mutates_args=())
def _k_winners(x: Tensor, density: float, over: str) -> Tensor:
    return winners.k_winners(x, density, over)


@_k_winners.register_fake
def _(x: Tensor, density: float, over: str) -> Tensor:
    return torch.empty_like(x)


class _WholeWinners(nn.Module):
    def __init__(self, found: winners.KWinners) -> None:
        super().__init__()
        self.density, self.over = found.density, found.over
        self.function = FUNCTIONS[found.function]

    def forward(self, x: Tensor) -> Tensor:
        return _k_winners(self.function(x), self.density, self.over)


_WHOLE: Mapping[type[nn.Module], Callable[[Any], nn.Module]] = {
    nn.LocalResponseNorm: _WholeNorm,
    winners.KWinners: _WholeWinners,
}


def keep_whole(model: nn.Module) -> nn.Module:
    """Replace, in a copy that is about to be traced, what must stay one operator."""
    for parent in model.modules():
        for name, child in parent.named_children():
            if type(child) in _WHOLE:
                setattr(parent, name, _WHOLE[type(child)](child))
    return _WHOLE[type(model)](model) if type(model) in _WHOLE else model


def _norm(call: Call) -> str:
    op = LocalResponseNorm(
        call["size"], float(call["alpha"]), float(call["beta"]), float(call["k"])
    )
    return call.add(op, call.value(call["x"]))


def _winners(call: Call) -> str:
    return call.add(KWinners(float(call["density"]), call["over"]), call.value(call["x"]))


HANDLERS: Mapping[str, Callable[[Call], Any]] = {
    "gossamer.local_response_norm.default": _norm,
    "gossamer.k_winners.default": _winners,
}
