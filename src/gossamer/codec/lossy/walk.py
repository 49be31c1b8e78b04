"""Running a graph node by node, on images a few at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from gossamer.codec.lossy.layer import in_chunks, matrix_of, seen_by_filters
from gossamer.errors import GraphError, ShapeError
from gossamer.graph import Graph, Layout, Node
from gossamer.graph.interpret import MEANING, activate
from gossamer.graph.ops import Conv2d

_AT_ONCE = 16
Arrays = dict[str, np.ndarray]


def check_images(graph: Graph, images: np.ndarray) -> np.ndarray:
    """Return images as float32.

    Raises:
        ShapeError: if the network does not take such images, or there are none.
    """
    images = np.asarray(images, np.float32)
    batch = graph.input.example[0]
    if not len(images) or not graph.input.accepts((batch, *images.shape[1:])):
        raise ShapeError("not images for this network", got=images.shape, expected=str(graph.input))
    return images


def dense_weights(node: Node, weights: Mapping[str, Layout]) -> Arrays:
    """Return role → array."""
    return {role: weights[name].to_dense() for role, name in node.weights.items()}


def run_node(node: Node, inputs: Sequence[np.ndarray], weights: Arrays) -> np.ndarray:
    """Return the value that a node makes; products of convolutions in float32, for speed.

    Raises:
        GraphError: if it is not finite.
    """
    parts = []
    for chunk in in_chunks(len(inputs[0]), _AT_ONCE):
        with np.errstate(over="ignore", invalid="ignore"):
            value = _meaning(node, [x[chunk] for x in inputs], weights)
            parts.append(value.astype(np.float32, copy=False))
        if not np.isfinite(parts[-1]).all():
            raise GraphError("not finite on the images given", where=f"value {node.name!r}")
    return np.concatenate(parts)


def _meaning(node: Node, inputs: list[np.ndarray], weights: Arrays) -> np.ndarray:
    if not isinstance(node.op, Conv2d):
        return MEANING[type(node.op)](node.op, inputs, weights)
    filters, bias = matrix_of(node, weights)
    shape = weights["weight"].shape
    patches = seen_by_filters(node, inputs[0], shape)
    size = node.op.output_shape([inputs[0].shape], {"weight": shape})
    y = filters.astype(np.float32) @ patches + bias.astype(np.float32)[:, :, None]
    y = y.reshape(shape[0], len(inputs[0]), -1).transpose(1, 0, 2).reshape(size)
    return activate(y, node.op.activation)


def linear_part(node: Node) -> Node:
    """Return a convolution or linear layer without its activation."""
    return replace(node, op=replace(node.op, activation="identity"))  # type: ignore[type-var]


def last_readers(graph: Graph) -> dict[str, str]:
    """Return value → the last node that reads it; the output is read by none that there is."""
    last = {name: node.name for node in graph.nodes for name in node.inputs}
    return last | {graph.output: ""}


def run_all(graph: Graph, images: np.ndarray) -> Arrays:
    """Return every value by name."""
    values = {graph.input.name: images}
    for node in graph.nodes:
        inputs = [values[name] for name in node.inputs]
        values[node.name] = run_node(node, inputs, dense_weights(node, graph.weights))
    return values


def run_changed(graph: Graph, values: Arrays, name: str, value: np.ndarray) -> np.ndarray:
    """Return the network's output if one of its values were another."""
    changed = {name: value}
    for node in graph.nodes:
        if node.name != name and any(source in changed for source in node.inputs):
            inputs = [changed.get(source, values[source]) for source in node.inputs]
            changed[node.name] = run_node(node, inputs, dense_weights(node, graph.weights))
    return changed.get(graph.output, values[graph.output])
