"""The table of handlers: ONNX operator → function that adds its nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gossamer.graph.from_onnx import (
    activations,
    arithmetic,
    channels,
    convolutions,
    integer_layers,
    norms,
    pooling,
    quantisation,
    reshaping,
    selection,
)
from gossamer.graph.from_onnx.builder import Value
from gossamer.graph.from_onnx.call import Call

_BY_THEMSELVES: Mapping[str, Callable[[Call], Value | tuple[Value, ...]]] = {
    **convolutions.HANDLERS,
    **pooling.HANDLERS,
    **activations.HANDLERS,
    **arithmetic.HANDLERS,
    **norms.HANDLERS,
    **reshaping.HANDLERS,
    **channels.HANDLERS,
    **selection.HANDLERS,
    **quantisation.HANDLERS,
    **integer_layers.HANDLERS,
}

HANDLERS = {**_BY_THEMSELVES, **norms.in_layer_norms(_BY_THEMSELVES)}
"""What each operator becomes, also where several are a layer norm together."""
