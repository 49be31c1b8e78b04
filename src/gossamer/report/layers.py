"""The layers of a graph as a table: what each one does, which ones it reads, what it costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gossamer.graph.counting import count
from gossamer.graph.graph import Graph, Node
from gossamer.graph.layers import Layer, layers_of
from gossamer.graph.ops import Conv2d
from gossamer.graph.verify import infer_shapes
from gossamer.report.table import Table

_MOST_RUNS = 8  # in a column of layer numbers


@dataclass(frozen=True)
class LayerLine:
    """One layer, as a line of the table.

    Args:
        number: from 1; 0 is the input.
        name: of the node that the layer is named after.
        operator: its nodes' operators in words; "affine" is a norm in evaluation.
        reads: numbers of the layers that it reads.
        output_shape: (C, H, W) or (F,), of one image.
        parameters: entries of all its weights.
        macs: for one image.
    """

    number: int
    name: str
    operator: str
    reads: tuple[int, ...]
    output_shape: tuple[int, ...]
    parameters: int
    macs: int


def layer_lines(graph: Graph) -> tuple[LayerLine, ...]:
    """Return a line for each layer of a graph, at its example size.

    Examples:
        >>> from gossamer.graph import Input
        >>> from gossamer.graph.ops import GlobalAvgPool
        >>> pool = Node("pool", GlobalAvgPool(), ("x",))
        >>> layer_lines(Graph(Input("x", (1, 4, 8, 8)), (pool,), "pool", {}))[0].operator
        'global average pool'
    """
    shapes, counts = infer_shapes(graph), {node.name: node for node in count(graph).nodes}
    return tuple(
        LayerLine(
            number=layer.number,
            name=layer.head.name,
            operator=describe(graph, layer.nodes),
            reads=layer.reads,
            output_shape=shapes[layer.value][1:],
            parameters=sum(counts[node.name].parameters for node in layer.nodes),
            macs=sum(counts[node.name].macs for node in layer.nodes),
        )
        for layer in layers_of(graph)
    )


def layer_table(lines: Sequence[LayerLine], title: str = "") -> Table:
    """Return the lines as a table, with the totals below."""
    heads = ("", "layer", "operator", "reads", "output", "parameters", "MACs")
    rows = tuple(
        (
            str(line.number),
            line.name,
            line.operator,
            spans(line.reads),
            join_sizes(line.output_shape),
            f"{line.parameters:,}",
            f"{line.macs:,}",
        )
        for line in lines
    )
    parameters, macs = sum(line.parameters for line in lines), sum(line.macs for line in lines)
    total = ("", "total", "", "", "", f"{parameters:,}", f"{macs:,}")
    return Table(heads, (*rows, total), title, words=5)


def describe(graph: Graph, nodes: Sequence[Node]) -> str:
    """Return the operators of nodes in a few words, each neighbour that repeats once."""
    words = [describe_node(graph, node) for node in nodes]
    return " + ".join(
        word for before, word in zip(["", *words], words, strict=False) if word != before
    )


def describe_node(graph: Graph, node: Node) -> str:
    """Return a node's operator in a few words, such as "conv 3×3 /2, 8 groups"."""
    if isinstance(node.op, Conv2d):
        return _describe_conv(node.op, graph.weight_shapes(node)["weight"])
    return _WORDS[node.op.kind](node.op) if node.op.kind in _WORDS else node.op.kind


def spans(numbers: Sequence[int]) -> str:
    """Return ascending numbers with runs of three or more, and what is long, written short.

    Examples:
        >>> spans((0, 1, 3, 4, 5))
        '0 1 3–5'
        >>> spans(range(0, 40, 2))
        '0 2 4 … 36 38 (20 layers)'
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    if len(runs) > _MOST_RUNS:
        first, last = spans(numbers[:3]), spans(numbers[-2:])
        return f"{first} … {last} ({len(numbers)} layers)"
    return " ".join(
        f"{run[0]}–{run[-1]}" if len(run) > 2 else " ".join(map(str, run)) for run in runs
    )


def join_sizes(shape: Sequence[int]) -> str:
    """Return sizes with a cross between them: (3, 32, 32) → "3×32×32"."""
    return "×".join(str(size) for size in shape)


def layer_colour(layer: Layer) -> str:
    """Return the class, as in `connectivity.css`, of what a layer's head does."""
    return _COLOURS.get(layer.head.op.kind, "other")


def _describe_conv(op: Conv2d, weight: Sequence[int]) -> str:
    depthwise = op.groups > 1 and weight[1] == 1
    text = f"{'depthwise' if depthwise else 'conv'} {weight[2]}×{weight[3]}"
    text += _describe_stride(op.stride)
    if op.groups > 1 and not depthwise:
        text += f", {op.groups} groups"
    return text if op.activation == "identity" else f"{text} + {op.activation}"


def _describe_pool(name: str) -> Callable[[Any], str]:
    def describe_pool(op: Any) -> str:
        return f"{name} {op.kernel[0]}×{op.kernel[1]}{_describe_stride(op.stride)}"

    return describe_pool


def _describe_stride(stride: tuple[int, int]) -> str:
    """Return nothing for stride 1, " /2" for stride 2, " /1×2" where the axes differ."""
    if stride == (1, 1):
        return ""
    return f" /{stride[0]}" if stride[0] == stride[1] else f" /{join_sizes(stride)}"


def _describe_activated(name: str) -> Callable[[Any], str]:
    return lambda op: name if op.activation == "identity" else f"{name} + {op.activation}"


_WORDS: dict[str, Callable[[Any], str]] = {
    "linear": _describe_activated("linear"),
    "add": _describe_activated("add"),
    "scale_shift": lambda op: "affine",
    "activation": lambda op: op.function,
    "k_winners": lambda op: f"{op.density:.0%} winners",
    "max_pool2d": _describe_pool("max pool"),
    "avg_pool2d": _describe_pool("average pool"),
    "global_avg_pool": lambda op: "global average pool",
    "channel_permute": lambda op: "permute",
    "channel_select": lambda op: "select channels",
    "local_response_norm": lambda op: "response norm",
    "layer_norm": lambda op: "layer norm",
}
_COLOURS = {
    "conv2d": "conv",
    "linear": "linear",
    "max_pool2d": "pool",
    "avg_pool2d": "pool",
    "global_avg_pool": "pool",
    "add": "gather",
    "concat": "gather",
    "multiply": "gather",
    "channel_permute": "permute",
    "channel_select": "permute",
}
