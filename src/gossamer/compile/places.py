"""Which values lie flat and which in planes, and in which region: decided before any code.

A value lies *flat* (C·H·W floats in a row) if it has two dimensions, is the network's input, the
mean of whole planes, a softmax or k winners, or follows from these with one pixel a channel; every
other one lies in *planes* (`gossamer.compile.geometry`). Each operator says where it reads its
inputs and where it puts its result.

One region for the whole network needs no copies, but tiles that suit the smallest picture may waste
lanes on the largest. So regions may be *cut* where a window has a stride: all cuts are costed, the
lanes that they save against the numbers that have to be copied, and the cheapest stay. What a 1×1
convolution with a stride reads across a cut is *picked*: only those pixels are copied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, combinations
from math import prod

from gossamer.compile.geometry import Halo, Planes
from gossamer.compile.readers import Reader, Size, plane_readers
from gossamer.compile.regions import Place, Region, planes_at
from gossamer.compile.residuals import Residual, Uses
from gossamer.graph.graph import Graph, Node
from gossamer.graph.ops import Concat, Shape

MOVE_COST = 10.0
"""Of copying one vector to another place, in multiply-accumulates of a vector."""
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
        gates: convolution → the product that its weights take over.
        picks: (root, place) → the stride with which pixels are copied there, if not all are.
        hosts: value → the concatenation in whose memory it is made, and its first channel there.
    """

    cuts: frozenset[Size] = frozenset()
    regions: list[Region] = field(default_factory=list)
    reads: dict[str, Place] = field(default_factory=dict)
    homes: dict[str, Place] = field(default_factory=dict)
    halos: dict[tuple[str, Place], Halo] = field(default_factory=dict)
    roots: dict[str, str] = field(default_factory=dict)
    residuals: dict[str, Residual] = field(default_factory=dict)
    gates: dict[str, Node] = field(default_factory=dict)
    picks: dict[tuple[str, Place], Size] = field(default_factory=dict)
    hosts: dict[str, tuple[str, int]] = field(default_factory=dict)

    def share(self, value: str, root: str) -> None:
        """Let a value, and all that share its memory, share that of another one."""
        for name in [value, *(n for n, other in self.roots.items() if other == value)]:
            self.roots[name] = root
        for name, place in [key for key in self.halos if key[0] == value]:
            halo = self.halos.pop((name, place))
            self.halos[root, place] = self.halos.get((root, place), Halo()).union(halo)
            if (name, place) in self.picks:
                self.picks[root, place] = self.picks.pop((name, place))

    def waits(self, node: Node) -> bool:
        """Whether a node runs only where the sum or the convolution stands that takes it over."""
        terms = (residual.term for residual in self.residuals.values())
        return any(other is node for other in (*terms, *self.gates.values()))

    def root(self, value: str) -> str:
        """Return the value whose memory `value` shares."""
        return self.roots.get(value, value)

    def planes(self, value: str, place: Place, shape: Shape, lanes: int) -> Planes:
        """Return the layout of a value's memory at a place; `shape` is (N, C, H, W)."""
        planes = planes_at(place, shape[1], self.size(value, place, shape), lanes)
        return planes.with_halo(self.halos.get((self.root(value), place), Halo()))

    def pick(self, value: str, place: Place) -> Size:
        """Return the stride with which the pixels of a value are copied to a place."""
        return self.picks.get((self.root(value), place), (1, 1))

    def size(self, value: str, place: Place, shape: Shape) -> Size:
        """Return the (H, W) that a value of a shape has at a place."""
        stride = self.pick(value, place)
        return -(-shape[2] // stride[0]), -(-shape[3] // stride[1])

    def start(self) -> Place:
        """Start a new region."""
        self.regions.append(Region())
        return Place(self.regions[-1])

    def cost(self, shapes: Mapping[str, Shape], lanes: int) -> float:
        """Return the estimated work: computing, and copying what is read away from its home."""
        moved = sum(
            shapes[value][1] * prod(self.size(value, place, shapes[value]))
            for value, place in self.halos
            if self.homes.get(value) != place
        )
        return sum(region.cost(lanes) for region in self.regions) + MOVE_COST * moved / lanes


def choose_places(graph: Graph, shapes: Mapping[str, Shape], lanes: int) -> Places:
    """Return the cheapest assignment over all sets of cuts."""
    readers, uses = plane_readers(graph, shapes), Uses(graph, shapes)
    strided = (reader.inputs[0][1] for reader in readers if reader.stride != (1, 1))
    sizes = list(dict.fromkeys(strided))[-MOST_CUTS:]
    sets = chain.from_iterable(combinations(sizes, n) for n in range(len(sizes) + 1))
    ways = (_assign(readers, uses, shapes, frozenset(cuts)) for cuts in sets)
    return min(ways, key=lambda places: places.cost(shapes, lanes))


def assign_places(
    graph: Graph, shapes: Mapping[str, Shape], cuts: frozenset[Size] = frozenset()
) -> Places:
    """Walk the graph once and give every value in planes its place."""
    return _assign(plane_readers(graph, shapes), Uses(graph, shapes), shapes, cuts)


def _assign(
    readers: Sequence[Reader], uses: Uses, shapes: Mapping[str, Shape], cuts: frozenset[Size]
) -> Places:
    places, starts = Places(cuts), dict[Size, Place]()
    for reader in readers:
        node = reader.node
        _place(reader, shapes, places, starts)
        product = uses.gates.get(node.name)
        if product and places.reads[node.name] == places.homes.get(product.name):
            places.gates[node.name] = product
        residual = uses.residual(node, places.roots)
        home = places.homes.get(residual.term.name) if residual else None
        if residual and home and places.homes.get(residual.other) == home:
            places.residuals[node.name] = residual
            places.share(node.name, places.root(residual.other))
        if isinstance(node.op, Concat):
            _host_parts(node, shapes, places)
    return places


def _place(
    reader: Reader, shapes: Mapping[str, Shape], places: Places, starts: dict[Size, Place]
) -> None:
    """Say where a node reads, and where its result lies."""
    name, place, stride = reader.node.name, _read_place(reader, places, starts), reader.stride
    if _picks(reader, places):
        place, stride = place.after(stride), (1, 1)
        if _is_taken(reader.inputs[0][0], place, reader.stride, places):
            place = places.start().after(reader.stride)
        places.picks[places.root(reader.inputs[0][0]), place] = reader.stride
    elif any(places.pick(value, place) != (1, 1) for value, _ in reader.inputs):
        place = places.start()
    places.reads[name] = place
    for value, _ in reader.inputs:
        size = places.size(value, place, shapes[value])
        key = (places.root(value), place)
        held = places.halos.get(key, Halo())
        places.halos[key] = held.union(reader.halo)
        place.hold(size, 1.0)
        if places.halos[key] != held:
            place.pad(size, reader.halo, shapes[value][1])
    if reader.size:
        places.homes[name] = place.after(stride)
        places.homes[name].hold(reader.size, reader.cost)
    if reader.renames:
        places.share(name, places.root(reader.inputs[0][0]))


def _picks(reader: Reader, places: Places) -> bool:
    """Whether a node with a stride reads a copy that has only the pixels which it needs."""
    value, size = reader.inputs[0]
    return (
        reader.picks and reader.stride != (1, 1) and size in places.cuts and value in places.homes
    )


def _is_taken(value: str, place: Place, stride: Size, places: Places) -> bool:
    """Whether a value lies at a place already, with other pixels than those that a stride picks.

    A convolution with a stride may leave a picture as large as it was.
    """
    key = places.root(value), place
    return places.homes.get(value) == place or (
        key in places.halos and places.picks.get(key) != stride
    )


def _read_place(reader: Reader, places: Places, starts: dict[Size, Place]) -> Place:
    """Return where a node reads: where its first input lies, unless a new region is better."""
    first, size = reader.inputs[0]
    if reader.stride != (1, 1) and size in places.cuts:
        if size not in starts:
            starts[size] = places.start()
        return starts[size]
    place = places.homes.get(first)
    return place if place and place.after(reader.stride).has_room else places.start()


def _host_parts(node: Node, shapes: Mapping[str, Shape], places: Places) -> None:
    """Let the parts of a concatenation be made in its memory, where they have none yet."""
    first = 0
    for name in node.inputs:
        is_alone = name not in places.roots and node.inputs.count(name) == 1
        if is_alone and places.homes.get(name) == places.homes[node.name]:
            places.hosts[name] = node.name, first
            places.share(name, node.name)
        first += shapes[name][1]
