"""Levels for what layers read, chosen from what they read of some pictures."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import nn

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
    hooks = [
        layer.register_forward_pre_hook(partial(_add, name, seen[name], samples))
        for name, layer in layers.items()
    ]
    try:
        with evidence.evaluating() as model, torch.no_grad():
            for images, _ in evidence.batches():
                model(images)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: choose_levels(found, options) for name, found in seen.items() if found.samples}


def _add(name: str, seen: Seen, samples: int, layer: nn.Module, args: tuple[Any, ...]) -> None:
    values = args[0].detach()
    if not values.isfinite().all():
        raise PassError("reads something that is not finite", where=name)
    seen.add(values.cpu().numpy(), samples)
