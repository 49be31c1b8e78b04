"""Which values lie flat and which in planes, and in which region: decided before any code.

A value lies *flat* (C·H·W floats in a row) if it has two dimensions, is the network's input, or is
the mean of whole planes; every other one lies in *planes* (`gossamer.compile.geometry`). Each
operator says where it reads its inputs and where it puts its result.

One region for the whole network needs no copies, but tiles that suit the smallest picture may waste
lanes on the largest. So regions may be *cut* where a window has a stride: all cuts are costed, the
lanes that they save against the numbers that have to be copied, and the cheapest stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, combinations
from math import prod

from gossamer.compile.geometry import Halo, Planes, window_halo
from gossamer.compile.regions import Member, Place, Region, planes_at
from gossamer.compile.residuals import Residual, Uses
from gossamer.graph.graph import Graph, Node
from gossamer.graph.ops import (
    AvgPool2d,
    ChannelPermute,
    ChannelSelect,
    Concat,
    Conv2d,
    Flatten,
    GlobalAvgPool,
    MaxPool2d,
    Multiply,
    Shape,
    Softmax,
)

Size = tuple[int, int]

MOVE_COST = 3.0
"""Of copying one number to another place, in multiply-accumulates of a vector."""
MOST_CUTS = 5
"""Sizes at which cutting is considered: all sets of them are costed."""


@dataclass
class Places:
    """Where the planes of a graph lie.

    Args:
        cuts: sizes of pictures whose readers with a stride start a new region, one for each size.

    Attributes:
        regions: all of them.
        reads: node name → the place at which it reads its inputs (absent: it reads flat).
        homes: value → the place where its maker puts it (absent: flat).
        halos: (value, place) → what its readers need around a tile.
        roots: value → the value whose memory it shares (a choice of channels moves nothing).
        residuals: sum → how it is made in place.
        hosts: value → the concatenation in whose memory it is made, and its first channel there.
    """

    cuts: frozenset[Size] = frozenset()
    regions: list[Region] = field(default_factory=list)
    reads: dict[str, Place] = field(default_factory=dict)
    homes: dict[str, Place] = field(default_factory=dict)
    halos: dict[tuple[str, Place], Halo] = field(default_factory=dict)
    roots: dict[str, str] = field(default_factory=dict)
    residuals: dict[str, Residual] = field(default_factory=dict)
    hosts: dict[str, tuple[str, int]] = field(default_factory=dict)

    def share(self, value: str, root: str) -> None:
        """Let a value, and all that share its memory, share that of another one."""
        for name in [value, *(n for n, other in self.roots.items() if other == value)]:
            self.roots[name] = root
        for name, place in [key for key in self.halos if key[0] == value]:
            halo = self.halos.pop((name, place))
            self.halos[root, place] = self.halos.get((root, place), Halo()).union(halo)

    def waits(self, node: Node) -> bool:
        """Whether a convolution runs only where the sum stands that it adds to."""
        return any(residual.conv is node for residual in self.residuals.values())

    def root(self, value: str) -> str:
        """Return the value whose memory `value` shares."""
        return self.roots.get(value, value)

    def planes(self, value: str, place: Place, shape: Shape, lanes: int) -> Planes:
        """Return the layout of a value's memory at a place; `shape` is (N, C, H, W)."""
        planes = planes_at(place, shape[1], (shape[2], shape[3]), lanes)
        return planes.with_halo(self.halos.get((self.root(value), place), Halo()))

    def start(self) -> Place:
        """Start a new region."""
        self.regions.append(Region())
        return self.regions[-1].start()

    def cost(self, shapes: Mapping[str, Shape], lanes: int) -> float:
        """Return the estimated work: computing, and copying what is read away from its home."""
        moved = sum(
            prod(shapes[value]) for value, place in self.halos if self.homes.get(value) != place
        )
        return sum(region.cost(lanes) for region in self.regions) + MOVE_COST * moved


def choose_places(graph: Graph, shapes: Mapping[str, Shape], lanes: int) -> Places:
    """Return the cheapest assignment over all sets of cuts."""
    sizes = list(dict.fromkeys(_strided_sizes(graph, shapes)))[-MOST_CUTS:]
    sets = chain.from_iterable(combinations(sizes, n) for n in range(len(sizes) + 1))
    ways = (assign_places(graph, shapes, frozenset(cuts)) for cuts in sets)
    return min(ways, key=lambda places: places.cost(shapes, lanes))


def assign_places(
    graph: Graph, shapes: Mapping[str, Shape], cuts: frozenset[Size] = frozenset()
) -> Places:
    """Walk the graph once and give every value in planes its place."""
    places, starts, uses = Places(cuts), dict[Size, Place](), Uses(graph)
    for node in graph.nodes:
        if not _reads_planes(node, shapes):
            continue
        _place_node(graph, node, shapes, places, starts)
        residual = uses.residual(node, places.roots)
        if residual and places.homes.get(residual.other) == places.homes[residual.conv.name]:
            places.residuals[node.name] = residual
            places.share(node.name, places.root(residual.other))
        if isinstance(node.op, Concat):
            _host_parts(node, shapes, places)
    return places


def _host_parts(node: Node, shapes: Mapping[str, Shape], places: Places) -> None:
    """Let the parts of a concatenation be made in its memory, where they have none yet."""
    first = 0
    for name in node.inputs:
        is_alone = name not in places.roots and node.inputs.count(name) == 1
        if is_alone and places.homes.get(name) == places.homes[node.name]:
            places.hosts[name] = node.name, first
            places.share(name, node.name)
        first += shapes[name][1]


def _strided_sizes(graph: Graph, shapes: Mapping[str, Shape]) -> Iterator[Size]:
    for node in graph.nodes:
        if _reads_planes(node, shapes) and _node_stride(node, shapes) != (1, 1):
            yield _size(shapes[node.inputs[0]])


def window_stride(node: Node, output: Shape) -> tuple[int, int]:
    """Return the stride that matters: along an axis with one window only, there is none."""
    stride = getattr(node.op, "stride", (1, 1))
    return (stride[0] if output[2] > 1 else 1, stride[1] if output[3] > 1 else 1)


def node_halo(node: Node, graph: Graph, stride: tuple[int, int]) -> Halo:
    """Return what a node needs around the tiles of its input."""
    op = node.op
    if isinstance(op, Conv2d):
        kernel = graph.weights[node.weights["weight"]].shape[2:]
        return window_halo((kernel[0], kernel[1]), stride, op.padding, op.dilation)
    if isinstance(op, MaxPool2d):
        return window_halo(op.kernel, stride, op.padding, op.dilation)
    if isinstance(op, AvgPool2d):
        return window_halo(op.kernel, stride, op.padding, (1, 1))
    return Halo()


def plane_inputs(node: Node, shapes: Mapping[str, Shape]) -> tuple[str, ...]:
    """Return the inputs that a node reads in planes: all but the factors of a gate."""
    if isinstance(node.op, Multiply) and shapes[node.inputs[1]] != shapes[node.inputs[0]]:
        return node.inputs[:1]
    return node.inputs


def _reads_planes(node: Node, shapes: Mapping[str, Shape]) -> bool:
    return len(shapes[node.inputs[0]]) == 4 and not isinstance(node.op, Flatten | Softmax)


def _size(shape: Shape) -> Size:
    return shape[2], shape[3]


def _node_stride(node: Node, shapes: Mapping[str, Shape]) -> Size:
    return (1, 1) if isinstance(node.op, GlobalAvgPool) else window_stride(node, shapes[node.name])


def _read_place(node: Node, size: Size, stride: Size, places: Places, starts: dict) -> Place:
    """Return where a node reads: where its first input lies, unless a new region is better."""
    if stride != (1, 1) and size in places.cuts:
        if size not in starts:
            starts[size] = places.start()
        return starts[size]
    place = places.homes.get(node.inputs[0])
    return place if place and place.region.has_room(place.after(stride)) else places.start()


def _place_node(
    graph: Graph,
    node: Node,
    shapes: Mapping[str, Shape],
    places: Places,
    starts: dict[Size, Place],
) -> None:
    first, stride = node.inputs[0], _node_stride(node, shapes)
    place = _read_place(node, _size(shapes[first]), stride, places, starts)
    places.reads[node.name] = place
    halo = node_halo(node, graph, stride)
    for name in plane_inputs(node, shapes):
        key = (places.root(name), place)
        places.halos[key] = places.halos.get(key, Halo()).union(halo)
        _add_member(place, shapes[name], 1.0)
    if isinstance(node.op, GlobalAvgPool):
        return
    out = place.after(stride)
    places.homes[node.name] = out
    if isinstance(node.op, ChannelPermute | ChannelSelect) and min(node.op.order) >= 0:
        places.share(node.name, places.root(first))
    shape = shapes[node.name]
    macs = node.op.macs(shape, graph.weight_shapes(node)) / prod(shape[2:])
    density = graph.weights[node.weights["weight"]].density if "weight" in node.weights else 1.0
    _add_member(out, shape, macs * density + shape[1])


def _add_member(place: Place, shape: Shape, cost: float) -> None:
    place.region.members.append(Member(place.scale, (shape[2], shape[3]), cost))
