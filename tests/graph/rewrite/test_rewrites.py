"""What all rewrites share: outputs stay, the graph stays well formed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.errors import GraphError
from gossamer.graph import Graph, interpret, verify
from gossamer.graph.rewrite.absorb_permute import absorb_permute
from gossamer.graph.rewrite.choose_layouts import choose_layouts
from gossamer.graph.rewrite.fold_norm import fold_norm
from gossamer.graph.rewrite.fuse_activation import fuse_activation
from gossamer.graph.rewrite.fuse_gate import fuse_gate
from gossamer.graph.rewrite.fuse_subsample import fuse_subsample
from gossamer.graph.rewrite.join_norms import join_norms
from gossamer.graph.rewrite.pipeline import DEFAULT, rewrite
from gossamer.graph.rewrite.remove_channels import remove_channels
from gossamer.graph.rewrite.remove_dead import remove_dead
from gossamer.graph.rewrite.sink_permute import sink_permute

EXACT = (remove_dead, fuse_subsample, choose_layouts)
ROUNDING = (
    join_norms,
    fuse_gate,
    fold_norm,
    fuse_activation,
    sink_permute,
    absorb_permute,
    remove_channels,
    rewrite,
)
SEED = st.integers(0, 2**32 - 1)


def outputs(graph: Graph, step: Callable[[Graph], Graph], seed: int) -> tuple:
    """Return the output after and before the rewrite, and the largest value of any node."""
    x = np.random.default_rng(seed).standard_normal(graph.input.example).astype(np.float32)
    values: dict[str, np.ndarray] = {}
    before = interpret(graph, x, values=values)
    largest = max(float(np.abs(value).max()) for value in values.values())
    return interpret(verify(step(graph)), x), before, largest


@pytest.mark.parametrize("step", EXACT)
@given(seed=SEED)
def test_outputs_stay_bit_for_bit(random_graph, step, seed: int) -> None:
    after, before, _ = outputs(random_graph(seed), step, seed)
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("step", ROUNDING)
@given(seed=SEED)
def test_outputs_stay_within_rounding(random_graph, step, seed: int) -> None:
    after, before, largest = outputs(random_graph(seed), step, seed)
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-5 * largest)


@pytest.mark.parametrize("step", [*EXACT, *ROUNDING])
@given(seed=SEED)
def test_a_second_time_changes_nothing(random_graph, step, seed: int) -> None:
    once = step(random_graph(seed))
    if step is rewrite:
        return  # one rewrite may open the way for another
    assert step(once) == once


def test_the_pipeline_names_what_breaks(random_graph: Callable[[int], Graph]) -> None:
    def break_it(graph: Graph) -> Graph:
        return graph.with_nodes(graph.nodes[1:], graph.weights)

    with pytest.raises(GraphError):
        rewrite(random_graph(1), (break_it,))
    assert len(DEFAULT) == 12
