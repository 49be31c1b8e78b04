"""Which axes of the input may have another size than the example's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch.export import ExportedProgram

from gossamer.errors import ShapeError
from gossamer.graph.graph import Graph
from gossamer.graph.verify import infer_shapes


def symbolic_axes(program: ExportedProgram, shape: tuple[Any, ...]) -> dict[int, int]:
    """Return axis → least size that the trace allows, for axes that may have any size above it."""
    ranges = {str(symbol): bounds for symbol, bounds in program.range_constraints.items()}
    letters = [str(size) for size in shape]
    return {
        axis: int(ranges[letter].lower)
        for axis, letter in enumerate(letters)
        if letter in ranges and letters.count(letter) == 1 and "oo" in str(ranges[letter].upper)
    }


def with_free_axes(graph: Graph, symbolic: Mapping[int, int]) -> Graph:
    """Free the axes that the trace leaves open and along which the graph really stretches.

    An axis stays fixed if 32 more pixels do not fit the graph (a linear layer over the picture), or
    if the graph would take smaller pictures than the trace allows (a branch on the size).
    """
    free = frozenset(
        axis
        for axis, least in symbolic.items()
        if _takes(graph, axis, graph.input.example[axis] + 32)
        and (least <= 2 or not _takes(graph, axis, least - 1))
    )
    return replace(graph, input=replace(graph.input, free=free))


def _takes(graph: Graph, axis: int, size: int) -> bool:
    shape = list(graph.input.example)
    shape[axis] = size
    open_input = replace(graph.input, free=frozenset({axis}))
    try:
        infer_shapes(replace(graph, input=open_input), tuple(shape))
    except ShapeError:
        return False
    return True
