"""What layers read of some pictures: levels for it, and how its signs are shared out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from gossamer.compress.prune.criterion import Evidence, Layers
from gossamer.errors import PassError
from gossamer.graph.ops import Quantise
from gossamer.graph.quantise.levels import choose_levels
from gossamer.graph.quantise.options import QuantiseOptions
from gossamer.graph.quantise.ranges import Seen

_SAMPLES = 2**16


def input_levels(
    layers: Layers, evidence: Evidence, options: QuantiseOptions
) -> dict[str, Quantise]:
    """Return for each layer that runs 256 levels for its input, by name.

    Args:
        layers: by name, of the network of the evidence.
        evidence: with data.
        options: how levels are chosen; see `gossamer.graph.quantise`.

    Raises:
        PassError: if a layer reads something that is not finite.
    """
    seen = {name: Seen() for name in layers}
    samples = _SAMPLES * evidence.batch_size // max(evidence.count, 1) + 1
    _watch(layers, evidence, lambda name, x: _add(name, seen[name], samples, x))
    return {name: choose_levels(found, options) for name, found in seen.items() if found.samples}


def positive_shares(layers: Layers, evidence: Evidence) -> dict[str, float]:
    """Return for each layer that runs and reads signs the fraction of them that is positive."""
    counts: dict[str, list[int]] = {}

    def count(name: str, x: Tensor) -> None:
        signs = layers[name].read(x)  # type: ignore[operator]
        own = (int((signs > 0).sum()), signs.numel())
        counts[name] = [a + b for a, b in zip(counts.get(name, [0, 0]), own, strict=True)]

    _watch(layers, evidence, count)
    return {name: positive / total for name, (positive, total) in counts.items()}


def _watch(layers: Layers, evidence: Evidence, look: Callable[[str, Tensor], None]) -> None:
    """Call `look` with name and input of each layer, whenever it runs."""

    def show(name: str, layer: nn.Module, args: tuple[Any, ...]) -> None:
        look(name, args[0].detach())

    hooks = [m.register_forward_pre_hook(partial(show, name)) for name, m in layers.items()]
    try:
        with evidence.evaluating() as model, torch.no_grad():
            for images, _ in evidence.batches():
                model(images)
    finally:
        for hook in hooks:
            hook.remove()


def _add(name: str, seen: Seen, samples: int, values: Tensor) -> None:
    if not values.isfinite().all():
        raise PassError("reads something that is not finite", where=name)
    seen.add(values.cpu().numpy(), samples)
