"""How many bytes of values a network holds at once at least, however its memory is laid out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from gossamer.graph import ops
from gossamer.graph.graph import Graph
from gossamer.graph.ops import Shape
from gossamer.graph.verify import infer_shapes

_RENAMING = (ops.Concat, ops.ChannelPermute, ops.Flatten)
"""Their results are numbers that are there already."""

_IN_PLACE = (
    ops.Activation,
    ops.Add,
    ops.ChannelSelect,
    ops.KWinners,
    ops.LayerNorm,
    ops.Multiply,
    ops.Quantise,
    ops.ScaleShift,
    ops.Softmax,
    ops.Threshold,
)
"""Their results can take the place of what they read."""


@dataclass(frozen=True)
class LivePeak:
    """The most that is alive at once.

    Args:
        node: the operator that runs then.
        size_bytes: of the numbers alive, four bytes each.
    """

    node: str
    size_bytes: int


def live_peak(graph: Graph, image_shape: Shape | None = None) -> LivePeak:
    """Return the most numbers that are alive at once when the nodes run in their order.

    A lower bound for memory that holds each value whole, in float32. While a node runs, alive is
    what it reads, what it makes, and what a later node reads; the input until it was read for the
    last time. Nothing is counted twice or for the layout's sake: concatenating, flattening and
    another order of channels make no numbers, an elementwise operator works in place, a
    convolution that only a sum reads is added to the other term where that lies, and kernels need
    no memory to work in. Networks in int8 are counted as if each level took four bytes.

    Args:
        graph: a well-formed graph.
        image_shape: (C, H, W) or (F,); the example's unless given.

    Raises:
        ShapeError: if the network does not take such images.
    """
    shapes = infer_shapes(graph, (1, *(image_shape or graph.input.example[1:])))
    owners = _owners(graph)
    made = [
        (s.value, owners[s.value], _union(owners, s.inputs), _union(owners, s.stay))
        for s in _makings(graph)
    ]
    last = {owner: index for index, (_, _, read, _) in enumerate(made) for owner in read}
    last |= dict.fromkeys(owners[graph.output], len(made))

    def size_bytes(values: frozenset[str]) -> int:
        return 4 * sum(prod(shapes[value][1:]) for value in values)

    alive = frozenset({graph.input.name})
    peak = LivePeak(graph.input.name, size_bytes(alive))
    for index, (value, new, _, stay) in enumerate(made):
        after = new | {other for other in alive if last.get(other, -1) > index}
        most = max(size_bytes(alive), size_bytes(after | stay))
        if most > peak.size_bytes:
            peak = LivePeak(value, most)
        alive = after
    return peak


@dataclass(frozen=True)
class _Making:
    """How a value comes to be: what is read, and what of it stays until the value is whole."""

    value: str
    inputs: tuple[str, ...]
    stay: tuple[str, ...]


def _makings(graph: Graph) -> Iterator[_Making]:
    """Yield how each value is made, in order; a sum where the convolution runs that is its term."""
    sums = _sums_in_place(graph)
    done = {add for add, _ in sums.values()}
    for node in graph.nodes:
        if node.name in sums:
            add, other = sums[node.name]
            yield _Making(add, (*node.inputs, other), node.inputs)
        elif node.name not in done:
            is_in_place = isinstance(node.op, _RENAMING + _IN_PLACE)
            yield _Making(node.name, node.inputs, () if is_in_place else node.inputs)


def _sums_in_place(graph: Graph) -> dict[str, tuple[str, str]]:
    """Return convolution → (the only reader, a sum; its other term, which is made before)."""
    places = {name: i for i, name in enumerate([graph.input.name, *(n.name for n in graph.nodes)])}
    ops_of = {node.name: node.op for node in graph.nodes}
    readers = Counter([graph.output, *(name for node in graph.nodes for name in node.inputs)])
    found = {}
    for node in graph.nodes:
        if isinstance(node.op, ops.Add):
            other, late = sorted(node.inputs, key=places.__getitem__)
            if isinstance(ops_of.get(late), ops.Conv2d) and readers[late] == 1:
                found[late] = node.name, other
    return found


def _owners(graph: Graph) -> dict[str, frozenset[str]]:
    """Return value → the values whose numbers it consists of."""
    owners = {graph.input.name: frozenset({graph.input.name})}
    for node in graph.nodes:
        is_new = not isinstance(node.op, _RENAMING)
        owners[node.name] = frozenset({node.name}) if is_new else _union(owners, node.inputs)
    return owners


def _union(owners: dict[str, frozenset[str]], values: tuple[str, ...]) -> frozenset[str]:
    return frozenset().union(*(owners[value] for value in values))
