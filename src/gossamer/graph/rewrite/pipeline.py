"""The rewrites that export makes, in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gossamer.graph.graph import Graph
from gossamer.graph.rewrite.absorb_permute import absorb_permute
from gossamer.graph.rewrite.choose_layouts import choose_layouts
from gossamer.graph.rewrite.fold_norm import fold_norm
from gossamer.graph.rewrite.fuse_activation import fuse_activation
from gossamer.graph.rewrite.fuse_gate import fuse_gate
from gossamer.graph.rewrite.fuse_gelu import fuse_gelu
from gossamer.graph.rewrite.fuse_subsample import fuse_subsample
from gossamer.graph.rewrite.join_norms import join_norms
from gossamer.graph.rewrite.read_grids import read_grids
from gossamer.graph.rewrite.remove_channels import remove_channels
from gossamer.graph.rewrite.remove_dead import remove_dead
from gossamer.graph.rewrite.sink_permute import sink_permute
from gossamer.graph.verify import verify

Rewrite = Callable[[Graph], Graph]

DEFAULT: tuple[Rewrite, ...] = (
    remove_dead,
    read_grids,
    join_norms,
    fuse_gate,
    fuse_gelu,
    fuse_subsample,
    sink_permute,
    fold_norm,
    fuse_activation,
    absorb_permute,
    remove_channels,
    choose_layouts,
)


def rewrite(graph: Graph, rewrites: Sequence[Rewrite] = DEFAULT) -> Graph:
    """Return the graph after all rewrites, each verified.

    Raises:
        GraphError: if a rewrite leaves a graph that is not well formed.
    """
    for step in rewrites:
        graph = verify(step(graph))
    return graph
