"""Layers in groups whose curvatures fit into memory together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import nn

from gossamer.compress.prune.criterion import Layers

MEMORY_BYTES = 1 << 30
"""What the curvatures that are collected in one walk over the pictures may take."""


def chunks(layers: Layers, sizes: Mapping[str, int]) -> Iterator[Layers]:
    """Yield the layers in order, as many at a time as MEMORY_BYTES allow, one at least.

    Args:
        layers: by name.
        sizes: float64 numbers that each layer's curvature has.
    """
    chunk: dict[str, nn.Conv2d | nn.Linear] = {}
    used = 0
    for name, layer in layers.items():
        if chunk and 8 * (used + sizes[name]) > MEMORY_BYTES:
            yield chunk
            chunk, used = {}, 0
        chunk[name] = layer
        used += sizes[name]
    if chunk:
        yield chunk
