"""What a well-formed graph is; run after export, after each rewrite, after reading a file."""

from __future__ import annotations

from gossamer.errors import GraphError, ShapeError
from gossamer.graph.graph import Graph, Node
from gossamer.graph.ops import Shape


def verify(graph: Graph) -> Graph:
    """Return the graph, or raise an error naming the node at fault.

    Raises:
        GraphError: if this is not a graph, a name is used twice, a value is read before it is made,
            an operator has not its arity or its weights, a weight is unused, or the output does
            not exist.
        ShapeError: if the shapes do not fit at the example size.
    """
    _check_type(graph)
    _check_input(graph)
    infer_shapes(graph)
    used = {name for node in graph.nodes for name in node.weights.values()}
    for name in graph.weights:
        if name not in used:
            raise GraphError("weight that no node uses", where=f"weight {name!r}")
    return graph


def infer_shapes(graph: Graph, input_shape: Shape | None = None) -> dict[str, Shape]:
    """Return value name → shape for an input of `input_shape` (default: the example's).

    Raises:
        ShapeError: if the input does not take that shape, or an operator does not.
        GraphError: if the graph is not well formed.
    """
    _check_type(graph)
    shape = graph.input.example if input_shape is None else tuple(input_shape)
    if not graph.input.accepts(shape):
        raise ShapeError(
            "the network does not take this input", got=shape, expected=str(graph.input)
        )
    shapes: dict[str, Shape] = {graph.input.name: shape}
    for node in graph.nodes:
        _check_node(graph, node, shapes)
        try:
            shapes[node.name] = node.op.output_shape(
                [shapes[n] for n in node.inputs], graph.weight_shapes(node)
            )
        except ShapeError as error:
            raise ShapeError(
                error.problem,
                where=f"node {node.name!r} ({node.op.kind})",
                got=error.got,
                expected=error.expected,
            ) from None
    if graph.output not in shapes:
        raise GraphError("the output is a value that no node makes", got=graph.output)
    return shapes


def _check_type(graph: object) -> None:
    if not isinstance(graph, Graph):
        raise GraphError(
            "not a graph",
            got=type(graph).__name__,
            hint="gossamer.export makes one of a module, gossamer.load of a file",
        )


def _check_input(graph: Graph) -> None:
    where, example, free = f"input {graph.input.name!r}", graph.input.example, graph.input.free
    if len(example) not in (2, 4) or not all(type(s) is int and s >= 1 for s in example):
        raise GraphError(
            "bad shape of the input", where=where, got=example, expected="(N, C, H, W) or (N, F)"
        )
    if not free <= {0, *range(2, len(example))}:
        raise GraphError("an axis that cannot be free", where=where, got=sorted(free))


def _check_node(graph: Graph, node: Node, made: dict[str, Shape]) -> None:
    where = f"node {node.name!r} ({node.op.kind})"
    if node.name in made:
        raise GraphError("name used twice", where=where)
    for name in node.inputs:
        if name not in made:
            raise GraphError("reads a value that is not made before it", where=where, got=name)
    arity = node.op.arity
    if len(node.inputs) != arity and (arity >= 0 or not node.inputs):
        raise GraphError(
            "wrong number of inputs", where=where, got=len(node.inputs), expected=arity
        )
    roles = set(node.weights)
    if not set(node.op.roles) <= roles <= {*node.op.roles, *node.op.optional_roles}:
        raise GraphError("wrong weights", where=where, got=sorted(roles), expected=node.op.roles)
    for name in node.weights.values():
        if name not in graph.weights:
            raise GraphError("weight is missing", where=where, got=name)
