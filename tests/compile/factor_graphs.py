"""Chains of layers with nothing in between, for the tests of what is multiplied out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gossamer.graph import Dense, Graph, Input, Node
from gossamer.graph.ops import Conv2d, Linear
from tests.compile.graphs import sparse_array

Layer = tuple[Conv2d | Linear, dict[str, Any]]
"""An operator, and role → shape of a weight or a weight."""


def chain_graph(
    shape: tuple[int, ...], layers: Sequence[Layer], density: float = 1.0, seed: int = 0
) -> Graph:
    """Return a network of layers named "a", "b", … one behind the other."""
    rng = np.random.default_rng(seed)
    nodes, held, value = [], {}, "x"
    for name, (op, weights) in zip("abcdefgh", layers, strict=False):
        for role, given in weights.items():
            if isinstance(given, tuple):
                scale = max(1, int(np.prod(given[1:]))) ** 0.5
                given = Dense(sparse_array(rng, given, density) / np.float32(scale))
            held[f"{name}.{role}"] = given
        nodes.append(Node(name, op, (value,), {role: f"{name}.{role}" for role in weights}))
        value = name
    return Graph(Input("x", shape), tuple(nodes), value, held)


def pointwise(filters: int, channels: int, *, bias: bool = False, **options: Any) -> Layer:
    """Return a 1×1 convolution."""
    return window(filters, channels, (1, 1), bias=bias, **options)


def window(
    filters: int, channels: int, size: tuple[int, int], *, bias: bool = False, **options: Any
) -> Layer:
    """Return a convolution; with `same`, as many pixels go out as come in."""
    if options.pop("same", False):
        options["padding"] = (size[0] // 2, size[1] // 2) * 2
    roles: dict[str, Any] = {"weight": (filters, channels, *size)}
    return Conv2d(**options), roles | ({"bias": (filters,)} if bias else {})


def tucker(channels: int = 16, ranks: int = 12) -> Graph:
    """Return 1×1, 3×3, 1×1, and a layer behind an activation."""
    return chain_graph(
        (1, channels, 9, 7),
        [
            pointwise(ranks, channels),
            window(ranks, ranks, (3, 3), same=True),
            pointwise(channels, ranks, bias=True, activation="relu"),
            pointwise(5, channels),
        ],
    )
