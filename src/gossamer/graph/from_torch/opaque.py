"""Modules that torch would trace into pieces, kept whole: the norm over neighbouring channels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from gossamer.graph.from_torch.builder import Call
from gossamer.graph.ops import LocalResponseNorm


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


def keep_whole(model: nn.Module) -> nn.Module:
    """Replace, in a copy that is about to be traced, what must stay one operator."""
    for parent in model.modules():
        for name, child in parent.named_children():
            if type(child) is nn.LocalResponseNorm:
                setattr(parent, name, _WholeNorm(child))
    return _WholeNorm(model) if type(model) is nn.LocalResponseNorm else model


def _norm(call: Call) -> str:
    op = LocalResponseNorm(
        call["size"], float(call["alpha"]), float(call["beta"]), float(call["k"])
    )
    return call.add(op, call.value(call["x"]))


HANDLERS: Mapping[str, Callable[[Call], Any]] = {"gossamer.local_response_norm.default": _norm}
