"""Graph and images → a graph that does about the same and takes far fewer bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from gossamer.codec.lossy.gains import output_gains
from gossamer.codec.lossy.layer import coded_layers, weight_uses
from gossamer.codec.lossy.levels import choose_levels, rounded_bias
from gossamer.codec.lossy.options import LossyOptions
from gossamer.codec.lossy.problem import layer_problem
from gossamer.codec.lossy.walk import (
    Arrays,
    check_images,
    dense_weights,
    last_readers,
    run_node,
)
from gossamer.codec.profile import PROFILES, usual_profile
from gossamer.codec.progress import Progress, silent
from gossamer.errors import SpecError
from gossamer.graph import Codebook, Dense, Graph, Layout, Node, verify
from gossamer.graph.rewrite.edit import free_name


class Approximation:
    """What is known of a graph before its weights are coded at some distortion.

    Args:
        graph: rewritten (norms folded, as `gossamer.export` does), not quantised.
        images: (N, C, H, W) float32 as the network takes them, some hundreds like those it will
            see. Labels are not needed.
        options: how.
        profile: that the file will be saved with; unless given, the usual one for so many weights.
            In fast files no bits are left out, so there levels are not chained.

    Raises:
        SpecError: if there is no such profile.
        GraphError: if the graph has no layer to code, is quantised, or gives values that are not
            finite.
        ShapeError: if the network does not take the images.

    Examples:
        >>> from gossamer.graph import Input
        >>> from gossamer.graph.ops import Linear
        >>> rng = np.random.default_rng(0)
        >>> node = Node("y", Linear(), ("x",), {"weight": "w"})
        >>> weights = {"w": Dense(rng.standard_normal((10, 20)))}
        >>> graph = Graph(Input("x", (1, 20)), (node,), "y", weights)
        >>> found = Approximation(graph, rng.standard_normal((50, 20))).at(0.01)
        >>> found.weights["w"].kind, len(found.weights["w"].centroids) < 40
        ('codebook', True)
    """

    def __init__(
        self,
        graph: Graph,
        images: np.ndarray,
        options: LossyOptions | None = None,
        *,
        profile: str | None = None,
    ) -> None:
        if profile not in (None, *PROFILES):
            raise SpecError("unknown profile", got=profile, expected=list(PROFILES))
        self.graph, options = verify(graph), options or LossyOptions()
        self.profile = profile or usual_profile(list(graph.weights.values()))
        self.options = replace(options, trellis=options.trellis and self.profile == "small")
        self.uses = weight_uses(graph)
        self.layers = {node.name for node in coded_layers(graph)}
        self.images = check_images(graph, images)
        probes = self.images[: self.options.probes]
        self.gains: Mapping[str, float] = output_gains(graph, probes, self.options.seed)

    def at(self, bit_price: float, progress: Progress = silent) -> Graph:
        """Return the graph whose layers' errors, as they come out, and bits cost least together.

        The layers are coded in their order, each for the inputs that those before leave it: its
        weights become levels of one step (a codebook), its biases are rounded.

        Args:
            bit_price: squared change of the network's output that a bit is worth, > 0.
            progress: told (weights coded, weights in all) after each layer; what it raises cancels.

        Raises:
            SpecError: if the price is not positive.
        """
        if not 0 < bit_price < np.inf:
            raise SpecError("bad bit_price", got=bit_price, expected="> 0")
        before: Arrays = {self.graph.input.name: self.images}
        now, last = dict(before), last_readers(self.graph)
        nodes: list[Node] = []
        weights = dict(self.graph.weights)
        done, total = 0, sum(map(self._size, self.graph.nodes))
        for node in self.graph.nodes:
            made = self._coded(node, before, now, weights, bit_price)
            nodes.append(made)
            if node.name in self.layers:
                done += self._size(node)
                progress(done, total)
            before[node.name] = _value(node, before, self.graph.weights)
            same = made is node and all(now[name] is before[name] for name in node.inputs)
            now[node.name] = before[node.name] if same else _value(made, now, weights)
            for name in {name for name in node.inputs if last[name] == node.name}:
                del before[name], now[name]
        return verify(self.graph.with_nodes(nodes, weights))

    def _size(self, node: Node) -> int:
        weight = node.weights.get("weight")
        return self.graph.weights[weight].size if weight and node.name in self.layers else 0

    def _coded(
        self, node: Node, before: Arrays, now: Arrays, weights: dict[str, Layout], bit_price: float
    ) -> Node:
        """Return a layer with its new weights, which are put to the others."""
        if node.name not in self.layers:
            return node
        dense, (source,) = dense_weights(node, self.graph.weights), node.inputs
        problem = layer_problem(node, dense, before[source], now[source], self.options)
        shape = dense["weight"].shape
        cost = bit_price / self.gains[node.name]
        levels = choose_levels(problem, shape, cost, self.options)
        bias = node.weights.get("bias", "")
        if self.uses[bias] != 1:
            bias = free_name(weights, f"{node.name}.bias")
        values = (levels.integers * np.float32(levels.step)).astype(np.float32)
        weights[node.weights["weight"]] = Codebook.from_dense(values.reshape(shape))
        weights[bias] = Dense(rounded_bias(problem, levels))
        return replace(node, weights={"weight": node.weights["weight"], "bias": bias})


def _value(node: Node, values: Arrays, weights: Mapping[str, Layout]) -> np.ndarray:
    return run_node(node, [values[name] for name in node.inputs], dense_weights(node, weights))
