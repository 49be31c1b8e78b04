"""ONNX file → graph, with as many free axes as the file leaves open."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gossamer.errors import FormatError, GossamerError, ShapeError, SpecError
from gossamer.graph.from_onnx.convert import convert, takes_channels_last
from gossamer.graph.from_onnx.limits import OnnxLimits
from gossamer.graph.from_onnx.source import Source, read_source, take_apart
from gossamer.graph.graph import Graph
from gossamer.graph.ops import Shape
from gossamer.graph.rewrite.pipeline import rewrite as rewritten
from gossamer.graph.to_onnx import RECORD_NOTE
from gossamer.graph.verify import infer_shapes
from gossamer.images import InputRecord

if TYPE_CHECKING:
    from onnx import ModelProto

_USUAL_PIXELS = 224
_STEPS = ((1, 1, 3), (2, 32, 32), (1, 13, 6), (3, 0, 0))


def load_onnx(
    path: str | Path,
    *,
    limits: OnnxLimits | None = None,
    input_shape: Shape | None = None,
    rewrite: bool = True,
) -> Graph:
    """Read a network from an ONNX file.

    Its weights, of whatever float type, become float32. The graph takes (N, C, H, W) also where the
    file takes (N, H, W, C). An axis that the file leaves open is free in the graph if the file
    means the same graph at every size that is tried; its size at the example is then 1 for N, and
    for pixels what the file's own input record says, or 224.

    Args:
        path: of the file; files of external data may lie beside it.
        limits: how much it may ask for; default `OnnxLimits()`.
        input_shape: the example size, for a file that leaves its axes open.
        rewrite: fold norms, fuse activations, remove what is dead, and choose layouts.

    Raises:
        MissingDependencyError: without the onnx package.
        FormatError: if it is not a well-formed ONNX file within the limits.
        UnsupportedOperatorError: naming the operator, its node and its operator set.
        SpecError: if `input_shape` is missing or does not fit.
    """
    graph = _graph(read_source(Path(path), limits or OnnxLimits()), input_shape)
    return rewritten(graph) if rewrite else graph


def from_onnx(
    model: ModelProto,
    *,
    limits: OnnxLimits | None = None,
    input_shape: Shape | None = None,
    rewrite: bool = True,
) -> Graph:
    """Return the graph of a model in memory, without external data; else as `load_onnx`.

    Examples:
        >>> import numpy as np
        >>> from gossamer.graph import Dense, Input, Node
        >>> from gossamer.graph.ops import Linear
        >>> from gossamer.graph.to_onnx import to_onnx
        >>> node = Node("y", Linear("relu"), ("x",), {"weight": "w"})
        >>> graph = Graph(Input("x", (1, 2)), (node,), "y", {"w": Dense(np.array([[1.0, 2.0]]))})
        >>> from_onnx(to_onnx(graph)) == graph
        True
    """
    graph = _graph(take_apart(model, limits or OnnxLimits()), input_shape)
    return rewritten(graph) if rewrite else graph


def _graph(source: Source, input_shape: Shape | None) -> Graph:
    channels_last, record = takes_channels_last(source), _record(source)
    example = _example(source, input_shape, record)
    open_axes = _open_axes(source)
    if channels_last:
        order = (0, 3, 1, 2)
        example = tuple(example[axis] for axis in order)
        open_axes = frozenset(order.index(axis) for axis in open_axes)
    graph = convert(source, example, channels_last=channels_last)
    graph = _with_free_axes(graph, source, open_axes - {1}, channels_last)
    return replace(graph, record=record)


def _open_axes(source: Source) -> frozenset[int]:
    return frozenset(
        axis for axis, size in enumerate(source.sizes or ()) if not isinstance(size, int)
    )


def _example(source: Source, given: Shape | None, record: InputRecord | None) -> Shape:
    """Return the example size in the file's order of axes."""
    sizes, where = source.sizes, f"input {source.input!r}"
    if given is None and sizes is not None:
        pixels = (record.height, record.width) if record else (_USUAL_PIXELS, _USUAL_PIXELS)
        usual = (1, *pixels, None) if takes_channels_last(source) else (1, None, *pixels)
        known = [s if isinstance(s, int) else u for s, u in zip(sizes, usual, strict=False)]
        given = None if None in known else tuple(size for size in known if size is not None)
    if given is None:
        raise SpecError(
            "the file does not say what its input is like",
            where=where,
            got=sizes,
            hint="pass input_shape=(N, C, H, W)",
        )
    fits = sizes is None or (
        len(sizes) == len(given)
        and all(s in (g, None) or isinstance(s, str) for s, g in zip(sizes, given, strict=True))
    )
    if not fits or len(given) not in (2, 4) or min(given) < 1:
        raise SpecError("not an input of this network", where=where, got=given, expected=sizes)
    return tuple(given)


def _with_free_axes(
    graph: Graph, source: Source, open_axes: frozenset[int], channels_last: bool
) -> Graph:
    """Free the open axes along which the file means the same graph at other sizes."""
    for axes in (open_axes, open_axes & {0}):
        freed = replace(graph, input=replace(graph.input, free=axes))
        tried = list(_other_sizes(freed))
        if all(_is_same(freed, source, shape, channels_last) for shape in tried):
            example = graph.input.example
            free = {axis for axis in axes if any(shape[axis] != example[axis] for shape in tried)}
            return replace(graph, input=replace(graph.input, free=frozenset(free)))
    return graph


def _other_sizes(graph: Graph) -> Iterator[Shape]:
    """Yield sizes that the graph takes, odd and even steps away from the example."""
    for steps in _STEPS:
        shape = list(graph.input.example)
        for axis, step in zip((0, 2, 3), steps, strict=True):
            if axis in graph.input.free:
                shape[axis] += step
        if tuple(shape) != graph.input.example:
            try:
                infer_shapes(graph, tuple(shape))
            except ShapeError:
                continue
            yield tuple(shape)


def _is_same(graph: Graph, source: Source, shape: Shape, channels_last: bool) -> bool:
    try:
        other = convert(source, shape, channels_last=channels_last)
    except GossamerError:
        return False
    return replace(other, input=graph.input) == graph


def _record(source: Source) -> InputRecord | None:
    """Return how a picture becomes the input, if gossamer wrote it into the file."""
    note = source.notes.get(RECORD_NOTE)
    if note is None:
        return None
    try:
        return InputRecord.from_dict(json.loads(note))
    except (ValueError, TypeError, RecursionError) as error:
        raise FormatError("not an input record", where=RECORD_NOTE, got=str(error)[:200]) from None
