"""The walk over a traced program: constants are computed, everything else becomes nodes."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind

from gossamer.errors import ShapeError, UnsupportedOperatorError
from gossamer.graph.from_torch.builder import Builder, Call, sizes
from gossamer.graph.from_torch.free_axes import symbolic_axes, with_free_axes
from gossamer.graph.from_torch.operators import HANDLERS
from gossamer.graph.from_torch.overwritten import Overwritten
from gossamer.graph.from_torch.program import example_array, frozen_copy, traces
from gossamer.graph.graph import Graph, Input
from gossamer.graph.verify import verify

_OPAQUE = object()


@dataclass(frozen=True)
class Conversion:
    """A graph, and where its values come from.

    Args:
        graph: as converted, not yet rewritten.
        program: the trace.
        origins: value name → node of the trace that makes it, in the order of the graph.
    """

    graph: Graph
    program: ExportedProgram
    origins: Mapping[str, str]

    def values(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Return what the traced module makes of `x`, by value name of the graph."""
        recorder = _Recorder(self.program.module())
        with torch.no_grad():
            recorder.run(torch.tensor(x))
        return {
            name: recorder.seen[node]
            for name, node in self.origins.items()
            if node in recorder.seen
        }


def from_torch(model: nn.Module, example_inputs: Any, *, name: str | None = None) -> Graph:
    """Return the graph of a module in evaluation mode, not rewritten and not compared.

    `gossamer.export` is this, followed by rewrites and by the comparison with the module.

    Args:
        model: left as it is: mode, device and gradients.
        example_inputs: a tensor (N, C, H, W) or (N, F), or a tuple of one.
        name: of the network; default: the module's class.

    Raises:
        UnsupportedOperatorError: naming the operator and its place in the model.

    Examples:
        >>> print(from_torch(nn.Sequential(nn.Linear(4, 2), nn.ReLU()), torch.zeros(1, 4)))
        graph 'Sequential'
          input: N=1×4
          0: 2 = linear(input) [weight: dense 2×4; bias: dense 2]
          1: 2 = activation(0) {function=relu}
          return 1
    """
    return convert(frozen_copy(model), example_array(example_inputs), name).graph


def convert(model: nn.Module, example: np.ndarray, name: str | None = None) -> Conversion:
    """Trace and convert a frozen copy of a module, with as many free axes as can be had.

    An operator that has a meaning in the graph only for known sizes (an adaptive pool, say) is
    tried again with the picture size fixed.
    """
    error: UnsupportedOperatorError | None = None
    for program in traces(model, example):
        try:
            return _convert_program(program, model, example, name)
        except UnsupportedOperatorError as problem:
            error = problem
    assert error is not None
    raise error


def _convert_program(
    program: ExportedProgram, model: nn.Module, example: np.ndarray, name: str | None
) -> Conversion:
    builder = Builder(model, {"input"})
    for node in program.graph.nodes:
        if node.op == "placeholder":
            _placeholder(builder, node, program)
    entry = next(node for node, value in builder.values.items() if value == "input")
    overwritten = Overwritten()
    for node in program.graph.nodes:
        if node.op == "call_function":
            call = Call(builder, node)
            overwritten.check(call)
            builder.values[node] = _convert_call(call)
    output = _output(builder, program)
    used = {weight for node in builder.nodes for weight in node.weights.values()}
    graph = Graph(
        input=Input("input", tuple(example.shape), frozenset({0})),
        nodes=tuple(builder.nodes),
        output=output,
        weights={key: layout for key, layout in builder.weights.items() if key in used},
        name=name or type(model).__name__,
    )
    graph = with_free_axes(graph, symbolic_axes(program, sizes(entry)))
    makers = {v: n.name for n, v in reversed(builder.values.items()) if isinstance(v, str)}
    origins = {node.name: makers[node.name] for node in graph.nodes if node.name in makers}
    return Conversion(verify(graph), program, origins)


def _placeholder(builder: Builder, node: fx.Node, program: ExportedProgram) -> None:
    """Note what an input of the trace is: a parameter, a buffer, a constant, or the picture."""
    spec = next(s for s in program.graph_signature.input_specs if s.arg.name == node.name)
    if spec.kind is InputKind.USER_INPUT:
        builder.values[node], builder.shapes["input"] = "input", sizes(node)
        return
    target = str(spec.target)
    tensors = program.constants if target in program.constants else program.state_dict
    builder.values[node] = tensors[target]
    if spec.kind is not InputKind.CONSTANT_TENSOR:
        builder.parameters[node] = target


def _convert_call(call: Call) -> Any:
    arguments = call.node.all_input_nodes
    if not _makes_tensors(call.node):
        return _OPAQUE
    if all(isinstance(call.raw(a), Tensor) for a in arguments) and _is_deterministic(call.node):
        return _compute(call)
    handler = HANDLERS.get(str(call.node.target))
    if handler is None:
        raise call.unsupported()
    try:
        return handler(call)
    except ShapeError as error:
        raise call.unsupported(f"has attributes that the graph has not: {error}") from None


def _makes_tensors(node: fx.Node) -> bool:
    made = node.meta.get("val")
    return (
        isinstance(made, Tensor)
        or (isinstance(made, tuple | list) and all(isinstance(part, Tensor) for part in made))
        or node.target is operator.getitem
    )


def _is_deterministic(node: fx.Node) -> bool:
    return torch.Tag.nondeterministic_seeded not in getattr(node.target, "tags", ())


def _compute(call: Call) -> Any:
    """Compute what depends on constants only, such as a masked or standardised weight."""
    values = call.builder.values
    arguments, keywords = fx.map_arg((call.node.args, call.node.kwargs), lambda node: values[node])
    with torch.no_grad():
        return call.node.target(*arguments, **keywords)  # type: ignore[operator]


def _output(builder: Builder, program: ExportedProgram) -> str:
    node = next(n for n in program.graph.nodes if n.op == "output")
    outputs = node.args[0]
    if len(outputs) != 1 or not isinstance(outputs[0], fx.Node):
        raise UnsupportedOperatorError("a graph has one output", got=len(outputs))
    call = Call(builder, outputs[0])
    if not call.is_value(outputs[0]):
        raise UnsupportedOperatorError("the output does not depend on the input")
    return call.value(outputs[0])


class _Recorder(fx.Interpreter):
    """Runs a traced module and keeps a copy of every tensor."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.seen: dict[str, np.ndarray] = {}

    def run_node(self, n: fx.Node) -> Any:
        """Run one node."""
        result = super().run_node(n)
        if isinstance(result, Tensor):
            self.seen[n.name] = result.detach().clone().numpy()
        return result
