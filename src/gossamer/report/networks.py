"""The networks that have a name: all in a table, or one in full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gossamer.graph.counting import GraphCount, count
from gossamer.graph.graph import Graph
from gossamer.nets.registry import NETWORKS
from gossamer.report.layers import LayerLine, join_sizes, layer_lines
from gossamer.report.table import Table

_FIELDS = ("name", "params", "macs", "input_shape", "source", "paper")


def list_networks() -> list[dict[str, Any]]:
    """Return for each network its name, params, macs, input_shape, source and paper's figures.

    `gossamer.nets.network.Network` says what they are; `macs` is None where nobody has counted.
    """
    return [_facts(NETWORKS[name]) for name in NETWORKS]


def network_table(networks: Sequence[Mapping[str, Any]]) -> Table:
    """Return a line a network: what it is, our counts, and what its paper prints."""
    rows = tuple(
        (
            network["name"],
            network["source"],
            network["paper"],
            join_sizes(network["input_shape"]),
            f"{network['params']:,}",
            "" if network["macs"] is None else f"{network['macs']:,}",
        )
        for network in networks
    )
    return Table(("network", "source", "paper says", "input", "parameters", "MACs"), rows, words=4)


def untrained_graph(name: str) -> Graph:
    """Return the graph of a network with fresh weights, at the size it was designed for.

    It is in evaluation mode, without auxiliary heads, and not rewritten: norms stand on their own.

    Raises:
        UnknownNameError: if there is no such network.
    """
    from gossamer.graph.from_torch import from_torch
    from gossamer.nets.create import create_model

    example = np.zeros((1, *NETWORKS[name].input_shape), np.float32)
    return from_torch(create_model(name), example, name=name)


@dataclass(frozen=True)
class NetworkView:
    """A network in full.

    Args:
        facts: its line in the list, as `list_networks` returns it.
        count: of its graph.
        layers: a line each.
    """

    facts: Mapping[str, Any]
    count: GraphCount
    layers: tuple[LayerLine, ...]

    @classmethod
    def of(cls, name: str, graph: Graph) -> NetworkView:
        """Return the view of a network whose graph is given."""
        return cls(_facts(NETWORKS[name]), count(graph), layer_lines(graph))

    @property
    def title(self) -> str:
        """The network's name, source and input."""
        shape = join_sizes(self.facts["input_shape"])
        return f"{self.facts['name']}, {self.facts['source']}, input {shape}"

    @property
    def notes(self) -> list[str]:
        """Lines of text: depth, memory, what the paper says, what the graph leaves out."""
        peak_kib = self.count.peak_live_bytes / 1024
        lines = [f"depth {self.count.depth}; at most {peak_kib:,.0f} KiB of activations alive"]
        if self.facts["paper"]:
            lines.append(f"the paper says: {self.facts['paper']}")
        if self.facts["params"] != self.count.parameters:
            lines.append(
                f"the network learns {self.facts['params']:,} parameters; "
                f"its graph in evaluation holds {self.count.parameters:,}"
            )
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Return the view as plain values."""
        return {
            **self.facts,
            "depth": self.count.depth,
            "peak_live_bytes": self.count.peak_live_bytes,
            "layers": [asdict(line) for line in self.layers],
        }


def _facts(network: Any) -> dict[str, Any]:
    return {field: getattr(network, field) for field in _FIELDS}
