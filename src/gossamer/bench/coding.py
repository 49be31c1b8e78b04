"""Sizes of one network's integer weights by all coders."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gossamer.bench.codecs import rival_sizes
from gossamer.bench.containers import container_sizes
from gossamer.codec.files import load
from gossamer.codec.inspect import inspect_bytes
from gossamer.codec.mixing.grid import grid_of
from gossamer.codec.profile import PROFILES
from gossamer.codec.read import decode
from gossamer.codec.write import encode
from gossamer.counts import entropy_bits, learning_bits
from gossamer.errors import GraphError
from gossamer.graph import Codebook, Graph, Layout, Quantised


@dataclass(frozen=True)
class CodingRecord:
    """What a network takes.

    Args:
        name: of the network.
        weights: entries of its integer tensors, zeros included.
        nonzeros: of those.
        entropy_bytes: zero-order entropy of the integers, a tensor at a time, no tables counted.
        learning_bytes: what must be added at least by who does not know how often integers occur.
        floats: of the other tensors, and scales, steps and centroids of the integer ones.
        sizes_bytes: of the integers by each coder; None where it is not installed. The name of a
            profile stands for this format; centroids and scales are in that, and not in others.
        file_bytes: of all weights: the whole `.goss` file by profile; what each rival takes for the
            same integers and floats, without operators, names and shapes.
        container_bytes: of the whole network in files of other kinds.
        decode_ms: time to read the whole file, by profile.
    """

    name: str
    weights: int
    nonzeros: int
    floats: int
    entropy_bytes: float
    learning_bytes: float
    sizes_bytes: dict[str, int | None]
    file_bytes: dict[str, int | None]
    container_bytes: dict[str, int | None]
    decode_ms: dict[str, float]


def integers_of(layout: Layout) -> np.ndarray | None:
    """Return the integers of a tensor, zero where nothing is stored; None for floats.

    Of a codebook: multiples of a step if all centroids are, else their ranks.
    """
    match layout:
        case Quantised():
            return layout.integers.astype(np.int64)
        case Codebook():
            grid = grid_of(layout.centroids)
            below = int(np.count_nonzero(np.signbit(layout.centroids)))
            ranks = np.arange(len(layout.centroids)) - below
            levels = ranks + (ranks >= 0) if grid is None else grid[1]
            values = np.zeros(layout.size, np.int64)
            values[layout.positions] = levels[layout.codes]
            return values.reshape(layout.shape)
    return None


def floats_of(layout: Layout) -> np.ndarray:
    """Return the float32 values of a tensor that are no integers; one step where that is enough."""
    match layout:
        case Quantised():
            return layout.scales
        case Codebook():
            grid = grid_of(layout.centroids)
            return layout.centroids if grid is None else np.array([grid[0]], np.float32)
    return layout.to_dense().ravel().astype(np.float32)


def measure_coding(
    path: Path, rivals: Sequence[str], containers: Sequence[str] = ()
) -> CodingRecord:
    """Code one network by all coders, and keep it in files of other kinds.

    Raises:
        GraphError: if it has no integer weights: neither codebooks nor quantised tensors.
    """
    graph = load(path)
    found = {name: integers_of(layout) for name, layout in graph.weights.items()}
    tensors = {name: values for name, values in found.items() if values is not None}
    if not tensors:
        raise GraphError(
            "no weight is a codebook or quantised", where=path, hint="compress the network first"
        )
    sizes: dict[str, int | None] = {}
    files: dict[str, int | None] = {}
    times = {}
    for profile in PROFILES:
        data, sizes[profile] = _own_bytes(graph, profile, set(tensors))
        files[profile], times[profile] = len(data), _decode_ms(data)
    integers = list(tensors.values())
    floats = np.concatenate([floats_of(layout) for layout in graph.weights.values()])
    for name, parts in rival_sizes(rivals, integers, floats).items():
        sizes[name], files[name] = (parts[0], sum(parts)) if parts else (None, None)
    return CodingRecord(
        name=path.stem,
        weights=sum(values.size for values in integers),
        nonzeros=sum(int(np.count_nonzero(values)) for values in integers),
        floats=floats.size,
        entropy_bytes=sum(entropy_bits(values) for values in integers) / 8,
        learning_bytes=sum(learning_bits(values) for values in integers) / 8,
        sizes_bytes=sizes,
        file_bytes=files,
        container_bytes=container_sizes(graph, containers),
        decode_ms=times,
    )


def _own_bytes(graph: Graph, profile: str, names: set[str]) -> tuple[bytes, int]:
    data = encode(graph, profile)
    tensors = inspect_bytes(data).tensors
    return data, sum(tensor.size_bytes for tensor in tensors if tensor.name in names)


def _decode_ms(data: bytes, rounds: int = 5) -> float:
    """Return the least time of some rounds: the first one may compile."""
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        decode(data)
        found.append(1e3 * (time.perf_counter() - start))
    return min(found)
