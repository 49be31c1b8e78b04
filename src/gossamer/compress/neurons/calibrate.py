"""Thresholds of truncated activations from data: for a sparsity, or within an allowed loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from gossamer.compress.prune.criterion import Evidence
from gossamer.nets.blocks.threshold import FUNCTIONS, Truncated

MOST = 0.99
"""Sparsity that a search within an allowed loss goes to at most."""
_STEPS = 6
_SAMPLES = 1 << 20


def for_sparsity(modules: Mapping[str, Truncated], evidence: Evidence, sparsity: float) -> None:
    """Give each activation the threshold at which this fraction of its outputs is zero, in place.

    One after the other, in the order in which they run, so that each sees what is left by those
    before it. Thresholds are not negative: an activation may be sparser than asked.

    Args:
        modules: truncated activations of the evidence's model, by name.
        evidence: with data.
        sparsity: 0…1.
    """
    for name in running_order(modules, evidence):
        module = modules[name]
        module.threshold.copy_(_quantile(_seen(module, evidence), module, sparsity))


def within_loss(modules: Mapping[str, Truncated], evidence: Evidence, allowed: float) -> None:
    """Give each activation the largest threshold that keeps the loss within what is allowed.

    The i-th of L activations may use up i/L of what is allowed; a binary search over its sparsity.

    Source: the calibration of FATReLU in Kurtz et al. 2020, which has one loss for each layer.

    Args:
        modules: truncated activations of the evidence's model, by name.
        evidence: with data.
        allowed: rise of the mean cross-entropy over the pictures, in nats, ≥ 0.
    """
    start = _loss(evidence)
    order = running_order(modules, evidence)
    for number, name in enumerate(order, start=1):
        module, limit = modules[name], start + allowed * number / len(order)
        seen = _seen(module, evidence)
        low, high = 0.0, MOST
        for _ in range(_STEPS):
            middle = (low + high) / 2
            module.threshold.copy_(_quantile(seen, module, middle))
            low, high = (middle, high) if _loss(evidence) <= limit else (low, middle)
        module.threshold.copy_(_quantile(seen, module, low))


def running_order(modules: Mapping[str, nn.Module], evidence: Evidence) -> list[str]:
    """Return the names in the order in which the modules first run."""
    names = {module: name for name, module in modules.items()}
    order: dict[str, None] = {}

    def note(module: nn.Module, args: Any) -> None:
        order.setdefault(names[module])

    hooks = [module.register_forward_pre_hook(note) for module in names]
    try:
        with evidence.evaluating() as model, torch.no_grad():
            model(next(evidence.batches())[0][:1])
    finally:
        for hook in hooks:
            hook.remove()
    return list(order)


def _seen(module: Truncated, evidence: Evidence) -> Tensor:
    """Return what the activation gives before truncation: (C, n), of at most about 2²⁰ entries."""
    parts: list[Tensor] = []

    def keep(own: nn.Module, args: Any) -> None:
        out = FUNCTIONS[module.function](args[0]).transpose(0, 1).flatten(1)
        step = max(1, evidence.count * out.numel() // len(args[0]) // _SAMPLES)
        parts.append(out[:, ::step] if module.threshold.ndim else out.flatten()[None, ::step])

    with _hooked(module, keep), evidence.evaluating() as model, torch.no_grad():
        for images, _ in evidence.batches():
            model(images)
    return torch.cat(parts, 1)


def _quantile(seen: Tensor, module: Truncated, sparsity: float) -> Tensor:
    """Return the threshold, one number or one a channel, that this fraction is not above."""
    count = round(sparsity * seen.shape[1])
    if count == 0:  # nothing is cut off
        is_low = float(seen.min()) < 0 and not module.shifted  # who shifts by that adds it
        least = torch.finfo(torch.float32).min if is_low else 0.0
        return torch.full_like(module.threshold, least)
    limit = seen.kthvalue(count, dim=1).values.clamp(min=0)
    return limit.view(module.threshold.shape)


def _loss(evidence: Evidence) -> float:
    with torch.no_grad():
        return sum(float(loss) * size for loss, size in evidence.losses()) / evidence.count


@contextmanager
def _hooked(module: nn.Module, function: Any) -> Iterator[None]:
    hook = module.register_forward_pre_hook(function)
    try:
        yield
    finally:
        hook.remove()
