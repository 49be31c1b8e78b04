"""A graph as text, one line an operator: what people read and golden tests compare."""

from __future__ import annotations

from dataclasses import fields

from gossamer.graph.graph import Graph, Node
from gossamer.graph.ops import ChannelPermute, ChannelSelect, Op
from gossamer.graph.verify import infer_shapes


def format_graph(graph: Graph) -> str:
    """Return the graph as lines `name: shape = operator(inputs) {attributes} [weights]`.

    Attributes at their default are left out.
    """
    shapes = infer_shapes(graph)
    lines = [f"graph {graph.name!r}", f"  {graph.input.name}: {graph.input}"]
    for node in graph.nodes:
        shape = "×".join(str(size) for size in shapes[node.name][1:])
        lines.append(
            f"  {node.name}: {shape} = {_call(node)}{_attributes(node.op)}{_weights(graph, node)}"
        )
    return "\n".join([*lines, f"  return {graph.output}"])


def _call(node: Node) -> str:
    return f"{node.op.kind}({', '.join(node.inputs)})"


def _attributes(op: Op) -> str:
    if isinstance(op, ChannelPermute | ChannelSelect):
        shown = ", ".join(str(i) for i in op.order[:6]) + (", …" if len(op.order) > 6 else "")
        return f" {{order=({shown})}}"
    changed = [
        f"{f.name}={getattr(op, f.name)}"
        for f in fields(op)  # type: ignore[arg-type]
        if getattr(op, f.name) != f.default
    ]
    return f" {{{', '.join(changed)}}}" if changed else ""


def _weights(graph: Graph, node: Node) -> str:
    parts = []
    for role, name in node.weights.items():
        layout = graph.weights[name]
        shape = "×".join(str(size) for size in layout.shape)
        parts.append(
            f"{role}: {layout.kind} {shape}"
            + (f" {layout.density:.0%}" if layout.density < 1 else "")
        )
    return f" [{'; '.join(parts)}]" if parts else ""
