"""Module → verified Graph: convert, rewrite, and compare with the module on every call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gossamer.errors import ShapeError, SpecError, VerificationError
from gossamer.graph.check import TOLERANCE, compare, distance
from gossamer.graph.from_torch import Conversion, convert, example_array, frozen_copy, run
from gossamer.graph.graph import Graph
from gossamer.graph.interpret import interpret
from gossamer.graph.ops import Shape
from gossamer.graph.rewrite.pipeline import DEFAULT
from gossamer.graph.rewrite.pipeline import rewrite as rewritten
from gossamer.graph.rewrite.remove_channels import remove_channels
from gossamer.graph.stretches import JUMPS, agree_in_stretches
from gossamer.graph.verify import infer_shapes
from gossamer.images import InputRecord

if TYPE_CHECKING:
    from torch import nn


def export(
    model: nn.Module,
    example_inputs: Any,
    *,
    record: InputRecord | None = None,
    name: str | None = None,
    rewrite: bool = True,
) -> Graph:
    """Return the graph of a module in evaluation mode, compared with the module.

    The comparison runs the interpreter and the module on the example, on random data in another
    batch size, and, where picture sizes are free, at another one; outputs may differ by 1e-5 of the
    largest value, or by what float32 costs the module itself. Where a network rounds to levels
    or sets what is low to zero, what lies on the edge may fall to either side. If only the other
    picture size differs, the graph is returned with its picture size fixed.

    Args:
        model: any module of supported operators; left as it is: mode, device and gradients.
        example_inputs: a tensor (N, C, H, W) or (N, F), or a tuple of one.
        record: how a picture becomes the input; goes with the graph into the file.
        name: of the network; default: the module's class.
        rewrite: fold norms, fuse activations, remove what is dead, and choose layouts.

    Raises:
        UnsupportedOperatorError: naming the operator and its place in the model.
        VerificationError: if graph and module differ, naming the first value that does.
        ShapeError: if the module does not take the example.
        SpecError: if the record does not fit the network.

    Examples:
        >>> import torch
        >>> model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU())
        >>> print(export(model, torch.zeros(1, 1, 8, 8)))
        graph 'Sequential'
          input: N=1×1×H=8×W=8
          0: 2×6×6 = conv2d(input) {activation=relu} [weight: dense 2×1×3×3; bias: dense 2]
          return 0
    """
    frozen, example = frozen_copy(model), example_array(example_inputs)
    run(frozen, example[:1])  # a module that refuses its example says so before it is traced
    conversion = convert(frozen, example, name)
    graph = rewritten(conversion.graph) if rewrite else conversion.graph
    rng = np.random.default_rng(0)
    batch = slice(0, 2) if 0 in graph.input.free else slice(None)
    _check(frozen, conversion, graph, example[batch])
    _check(frozen, conversion, graph, _random_like(example, _other_batch(graph), rng))
    if not all(
        _agrees(frozen, conversion, graph, _random_like(example, shape, rng))
        for shape in _other_sizes(graph)
    ):
        graph = replace(graph, input=replace(graph.input, free=graph.input.free & {0}))
    graph = replace(graph, record=record)
    _check_record(graph)
    return graph


def _random_like(example: np.ndarray, shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """Return normal data with the example's mean and deviation."""
    deviation = float(example.std()) or 1.0
    return (example.mean() + deviation * rng.standard_normal(shape)).astype(np.float32)


def _other_batch(graph: Graph) -> Shape:
    batch, *rest = graph.input.example
    return (3 if 0 in graph.input.free else batch, *rest)


def _other_sizes(graph: Graph) -> Iterator[Shape]:
    """Yield one other picture size that the graph takes, an odd step away if it can be."""
    for steps in ((1, 3), (32, 32)):
        shape = list(graph.input.example)
        for axis, step in zip((2, 3), steps, strict=True):
            if axis in graph.input.free:
                shape[axis] += step
        if 0 in graph.input.free:
            shape[0] = 1
        if tuple(shape[2:]) != graph.input.example[2:] and _takes(graph, tuple(shape)):
            yield tuple(shape)
            return


def _takes(graph: Graph, shape: Shape) -> bool:
    try:
        infer_shapes(graph, shape)
    except ShapeError:
        return False
    return True


def _agrees(model: nn.Module, conversion: Conversion, graph: Graph, x: np.ndarray) -> bool:
    try:
        reference = run(model, x)
    except ShapeError:
        return False
    output = interpret(graph, x)
    return _matches(model, x, reference, output) or _rounds_alike(conversion, graph, x, reference)


def _matches(model: nn.Module, x: np.ndarray, reference: np.ndarray, output: np.ndarray) -> bool:
    """Whether the outputs agree, or differ no more than float32 costs the module itself."""
    if distance(output, reference) <= TOLERANCE:
        return True
    exact = run(model, x, double=True)
    return distance(output, exact) <= max(TOLERANCE, 8 * distance(reference, exact))


def _rounds_alike(
    conversion: Conversion, graph: Graph, x: np.ndarray, reference: np.ndarray
) -> bool:
    """Whether graph and module differ only where a value lies on the edge of a jump."""
    if not any(isinstance(node.op, JUMPS) for node in graph.nodes):
        return False
    values = conversion.values(x)
    traced = values.get(conversion.graph.output)
    if traced is None or not distance(traced, reference) <= TOLERANCE:
        return False
    if agree_in_stretches(graph, x, values, traced):
        return True
    # Where channels were removed, its values are not those of the module: one step less is looked
    # at, and then that step, which keeps sums as they are.
    whole = rewritten(conversion.graph, [step for step in DEFAULT if step is not remove_channels])
    same = distance(interpret(graph, x), interpret(whole, x)) <= TOLERANCE
    return same and agree_in_stretches(whole, x, values, traced)


def _check(model: nn.Module, conversion: Conversion, graph: Graph, x: np.ndarray) -> None:
    """Raise VerificationError unless graph and module agree on `x`."""
    reference, output = run(model, x), interpret(graph, x)
    if _matches(model, x, reference, output) or _rounds_alike(conversion, graph, x, reference):
        return
    values: dict[str, np.ndarray] = {}
    plain = interpret(conversion.graph, x, values=values)
    if _matches(model, x, reference, plain):
        compare(f"graph {graph.name!r} after its rewrites", reference, output)
    for name, expected in conversion.values(x).items():
        if name in values:
            compare(f"node {name!r}", expected, values[name])
    raise VerificationError(
        "module and graph differ", where=graph.name, got=distance(output, reference)
    )


def _check_record(graph: Graph) -> None:
    record = graph.record
    if record is None:
        return
    wanted = (graph.input.example[0], record.channels, record.height, record.width)
    if not graph.input.accepts(wanted):
        raise SpecError(
            "the input record does not fit the network", got=wanted, expected=str(graph.input)
        )
    if (record.height, record.width) != graph.input.example[2:]:
        raise SpecError(
            "the input record has another picture size than the example",
            got=(record.height, record.width),
            expected=graph.input.example[2:],
            hint="give an example of the size that the data has",
        )
    classes = infer_shapes(graph)[graph.output][-1]
    if record.class_names and len(record.class_names) != classes:
        raise SpecError(
            "the input record names another number of classes than the network has",
            got=len(record.class_names),
            expected=classes,
            hint="make the network with num_classes of the data",
        )
