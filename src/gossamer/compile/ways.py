"""The ways to run chains of layers: cut into parts, each multiplied out to one layer."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations
from math import prod

from gossamer.compile.factors import LONGEST, Chain, Outline, find_chains, joined, outline
from gossamer.compile.product import Product, multiply, with_products
from gossamer.compile.timings import rounded
from gossamer.graph.graph import Graph
from gossamer.graph.ops import Shape

MOST_MORE = 2.0
"""Multiply-accumulates of a product over those of its factors, above which it is not tried."""
MOST_WORK = 2**32
"""Multiply-accumulates that multiplying may take, some tenths of a second."""

Part = tuple[int, int]
"""The layers of a chain from the first to before the second number."""
Way = tuple[Part, ...]
"""Parts of a chain that follow each other, from its begin to its end."""


class Ways:
    """The ways to run the chains of a graph.

    Args:
        graph: a network.
        shapes: value → shape for one image.
        may_multiply: whether there is something to choose at all.

    Attributes:
        graph: the network.
        chains: those with something to choose.
    """

    def __init__(
        self, graph: Graph, shapes: Mapping[str, Shape], *, may_multiply: bool = True
    ) -> None:
        self.graph, self._shapes = graph, shapes
        self._nodes = {node.name: node for node in graph.nodes}
        chains = find_chains(graph) if may_multiply else []
        layers = [self._nodes[name] for chain in chains for name in chain]
        self._outlines: dict[Chain, Outline] = {(n.name,): outline(graph, n) for n in layers}
        self._macs = {chain: dict(self._count(chain)) for chain in chains}
        self.chains = tuple(c for c, counts in self._macs.items() if len(counts) > len(c))
        self._made: dict[Chain, Product] = {}

    def macs(self, chain: Chain) -> Mapping[Part, float]:
        """Return the multiply-accumulates of each part that can run as one layer."""
        return self._macs[chain]

    def graph_of(self, ways: Mapping[Chain, Way]) -> Graph:
        """Return the graph with each chain run in a way."""
        parts = [chain[slice(*part)] for chain, way in ways.items() for part in way]
        products = {names: self._product(names) for names in parts if len(names) > 1}
        return with_products(self.graph, products)

    def kind(self, chain: Chain) -> object:
        """Return what chains have in common whose layers have the same sizes and densities."""
        known = (self._outlines[name,] for name in chain)
        layers = [(k.op, k.shape, k.has_bias, rounded(k.nonzeros)) for k in known]
        return self._shapes[self.source(chain)][1:], layers

    def source(self, chain: Chain) -> str:
        """Return the value that layers read."""
        return self._nodes[chain[0]].inputs[0]

    def _product(self, names: Chain) -> Product:
        if names not in self._made:
            layers = [self._nodes[name] for name in names]
            self._made[names] = multiply(self.graph, layers, self._outlines[names])
        return self._made[names]

    def _count(self, chain: Chain) -> Iterator[tuple[Part, float]]:
        for begin, end in combinations(range(len(chain) + 1), 2):
            names = chain[begin:end]
            if len(names) == 1 or self._is_worth_trying(names):
                yield (begin, end), self._macs_of(names)

    def _is_worth_trying(self, names: Chain) -> bool:
        """Whether layers have a product that may be faster, which then is known."""
        layers = [self._outlines[name,] for name in names]
        known = joined(layers) if len(layers) <= LONGEST else None
        if known is None or known.work > MOST_WORK:
            return False
        self._outlines[names] = known
        return self._macs_of(names) <= MOST_MORE * sum(self._macs_of((name,)) for name in names)

    def _macs_of(self, names: Chain) -> float:
        return self._outlines[names].nonzeros * prod(self._shapes[names[-1]][2:])


def cheapest(costs: Mapping[Part, float]) -> Way:
    """Return the parts of a chain that cost least together; if equal, the longer ones.

    Examples:
        >>> cheapest({(0, 1): 2.0, (1, 2): 2.0, (2, 3): 1.0, (0, 2): 3.0, (1, 3): 9.0})
        ((0, 2), (2, 3))
    """
    best: dict[int, tuple[float, int, Way]] = {0: (0.0, 0, ())}
    for end in range(1, 1 + max(end for _, end in costs)):
        ways = [
            (best[begin][0] + cost, best[begin][1] + 1, (*best[begin][2], (begin, stop)))
            for (begin, stop), cost in costs.items()
            if stop == end
        ]
        best[end] = min(ways)
    return best[max(best)][2]


def covering(parts: Collection[Part]) -> list[Way]:
    """Return few ways in which each part of a chain is found; the first is the chain as it is.

    Examples:
        >>> covering([(0, 1), (1, 2), (2, 3), (0, 2), (1, 3)])
        [((0, 1), (1, 2), (2, 3)), ((0, 2), (2, 3)), ((0, 1), (1, 3))]
    """
    length = max(end for _, end in parts)
    ways = [_filled([], length)]
    waiting = sorted(part for part in parts if part[1] - part[0] > 1)
    while waiting:
        taken: list[Part] = []
        for part in waiting:
            if not taken or part[0] >= taken[-1][1]:
                taken.append(part)
        waiting = [part for part in waiting if part not in taken]
        ways.append(_filled(taken, length))
    return ways


def _filled(parts: Sequence[Part], length: int) -> Way:
    """Return parts that follow each other, with single layers in the gaps."""
    inside = {layer for part in parts for layer in range(*part)}
    alone = ((n, n + 1) for n in range(length) if n not in inside)
    return tuple(sorted([*parts, *alone]))
