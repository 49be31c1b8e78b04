"""The walk over a file's nodes at one input size: constants are computed, the rest become nodes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gossamer.errors import FormatError, GossamerError, ShapeError, UnsupportedOperatorError
from gossamer.graph.from_onnx import quantisation
from gossamer.graph.from_onnx.builder import Builder, Value
from gossamer.graph.from_onnx.call import Call
from gossamer.graph.from_onnx.constants import compute
from gossamer.graph.from_onnx.operators import HANDLERS
from gossamer.graph.from_onnx.source import Source
from gossamer.graph.from_onnx.view import View, plain, transposed
from gossamer.graph.graph import Graph, Input
from gossamer.graph.ops import Shape
from gossamer.graph.verify import verify

_TO_CHANNELS_LAST = (0, 2, 3, 1)
_TO_CHANNELS_FIRST = [0, 3, 1, 2]
_EACH_ENTRY = {
    *("Add", "Sub", "Mul", "Div", "Cast", "Identity"),
    *("QuantizeLinear", "DequantizeLinear"),
}


def convert(source: Source, example: Shape, *, channels_last: bool = False) -> Graph:
    """Return the graph of a file for inputs of one size, nothing free and nothing rewritten.

    Args:
        source: the file's parts.
        example: (N, C, H, W) or (N, F).
        channels_last: whether the file takes (N, H, W, C) where the graph takes (N, C, H, W).

    Raises:
        UnsupportedOperatorError: naming the operator and its place in the file.
        FormatError: if the file is not well formed.
    """
    builder = Builder(source, example)
    view = plain(source.input, example)
    builder.values[source.input] = transposed(view, _TO_CHANNELS_LAST) if channels_last else view
    with np.errstate(all="ignore"):  # a file may hold NaN and infinities like other numbers
        for node in source.nodes:
            _take(builder, Call(builder, node))
        output = _output(builder)
    used = {weight for node in builder.nodes for weight in node.weights.values()}
    return verify(
        Graph(
            input=Input(source.input, example, frozenset()),
            nodes=tuple(builder.nodes),
            output=output,
            weights={name: layout for name, layout in builder.weights.items() if name in used},
            name=source.name,
        )
    )


def _take(builder: Builder, call: Call) -> None:
    """Keep the values that one node makes."""
    for name, value in zip(call.node.output, _convert(call), strict=False):
        is_view = isinstance(value, View)
        builder.values[name] = replace(value, label=call.label) if is_view else value


def _convert(call: Call) -> tuple[Value, ...]:
    """Return the values that one node makes."""
    try:
        if call.node.domain not in ("", "ai.onnx"):
            raise call.unsupported("is not one of ONNX's own")
        inputs = [call.input(index) for index in range(len(call.node.input)) if call.has(index)]
        of_constants = inputs and not any(isinstance(value, View) for value in inputs)
        if of_constants and call.kind not in quantisation.HANDLERS:
            return compute(call)
        handler = HANDLERS.get(call.kind)
        if handler is None:
            raise call.unsupported()
        made = handler(call)
    except ShapeError as error:
        raise call.unsupported(f"does not fit the graph: {error}") from None
    except GossamerError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # What a hostile node reaches: numpy's and Python's own checks.
        raise call.malformed(f"not well formed ({error})") from None
    return made if isinstance(made, tuple) else (made,)


def _output(builder: Builder) -> str:
    """Return the name of the value that the network returns."""
    name = builder.source.output
    value = builder.values.get(name)
    if value is None:
        raise FormatError("the output is a value that no node makes", got=name)
    if not isinstance(value, View):
        raise UnsupportedOperatorError("the output does not depend on the input", got=name)
    if value.levels is not None:
        raise UnsupportedOperatorError("the output is integers, not real numbers", got=name)
    if value.mark is not None:
        raise UnsupportedOperatorError("the output is not a value of the graph", got=name)
    return Call(builder, builder.source.nodes[-1]).settled(value)


def takes_channels_last(source: Source) -> bool:
    """Whether the file's first step, but for arithmetic, is to bring N H W C into N C H W."""
    names = {source.input}
    for node in source.nodes:
        if names & {*node.input}:
            axes = next((list(a.ints) for a in node.attribute if a.name == "perm"), None)
            if node.op_type == "Transpose" and axes == _TO_CHANNELS_FIRST:
                return True
            if node.op_type in _EACH_ENTRY:
                names |= {*node.output}
    return False
