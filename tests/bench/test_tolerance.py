from dataclasses import replace

import numpy as np
import pytest

from gossamer.bench.suite.measure import quantise_randomly
from gossamer.bench.tolerance import LARGEST, PLAIN, allowed_difference
from gossamer.graph import Graph, Input, Node
from gossamer.graph.ops import Quantise


def rounding(*scales, free=frozenset({0})):
    """Return a graph that only rounds, again and again."""
    nodes = [Node(f"q{i}", Quantise(s), (f"q{i - 1}" if i else "x",)) for i, s in enumerate(scales)]
    return Graph(Input("x", (1, 2), free), tuple(nodes), nodes[-1].name, {})


def test_real_networks_may_differ_by_the_order_of_sums(subject, x):
    assert allowed_difference(subject.graph, x) == PLAIN


def test_rounded_networks_may_differ_by_what_rounding_does(subject, x):
    graph = quantise_randomly(subject.graph)
    assert PLAIN < allowed_difference(graph, x) < 0.2


def test_four_times_the_distance_from_the_unrounded_output():
    x = np.float32([[1.2, 10.0]])
    assert allowed_difference(rounding(0.5), x) == pytest.approx(4 * 0.2 / 10)


def test_what_lies_outside_the_levels_is_no_rounding():
    assert allowed_difference(rounding(0.5), np.float32([[1e6, -64.0]])) == PLAIN


def test_the_first_picture_is_enough_where_the_batch_is_open():
    x = np.float32([[1.2, 10.0], [4.0, 10.0]])
    assert allowed_difference(rounding(0.5), x) == allowed_difference(rounding(0.5), x[:1])
    fixed = replace(rounding(0.5), input=Input("x", (2, 2), frozenset()))
    assert allowed_difference(fixed, x[::-1]) == allowed_difference(fixed, x)


@pytest.mark.parametrize("x", [[[0.1, 0.2]], [[np.nan, 1.0]]])
def test_it_is_never_more_than_half_of_the_output(x):
    assert PLAIN <= allowed_difference(rounding(1.0), np.float32(x)) <= LARGEST
