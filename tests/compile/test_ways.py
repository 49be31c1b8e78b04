from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.compile import ways as ways_file
from gossamer.compile.lowering.lower import image_shapes
from gossamer.compile.ways import Part, Way, Ways, cheapest, covering
from gossamer.graph import Graph, infer_shapes
from tests.compile.factor_graphs import chain_graph, pointwise, tucker, window


def ways_of(graph: Graph) -> Ways:
    return Ways(graph, image_shapes(graph, graph.input.example[1:]))


@st.composite
def costs(draw: st.DrawFn) -> dict[Part, float]:
    """Of single layers, and of some longer parts."""
    length = draw(st.integers(1, 6))
    return {
        (begin, end): float(draw(st.integers(1, 9)))
        for begin, end in combinations(range(length + 1), 2)
        if end == begin + 1 or draw(st.booleans())
    }


def all_ways(parts: set[Part], begin: int, length: int) -> list[Way]:
    if begin == length:
        return [()]
    firsts = [part for part in parts if part[0] == begin]
    return [(part, *rest) for part in firsts for rest in all_ways(parts, part[1], length)]


@given(costs())
def test_the_cheapest_way_is_no_dearer_than_any(given: dict[Part, float]) -> None:
    length = max(end for _, end in given)
    every = all_ways(set(given), 0, length)
    best = cheapest(given)
    assert best in every
    assert sum(given[part] for part in best) == min(sum(given[p] for p in way) for way in every)


@given(costs())
def test_covering_ways_are_ways_and_have_all_parts(given: dict[Part, float]) -> None:
    length = max(end for _, end in given)
    found = covering(given)
    assert found[0] == tuple((n, n + 1) for n in range(length))
    assert set(found) <= set(all_ways(set(given), 0, length))
    assert {part for way in found for part in way} == set(given)


def test_macs_are_those_of_the_nonzeros_of_all_pixels() -> None:
    graph = tucker(channels=16, ranks=12)
    ways = ways_of(graph)
    assert ways.chains == (("a", "b", "c"),)
    macs, pixels = ways.macs(ways.chains[0]), 9 * 7
    assert macs[0, 1] == 16 * 12 * pixels
    assert macs[1, 2] == 9 * 12 * 12 * pixels
    assert macs[0, 3] == pytest.approx(9 * 16 * 16 * pixels)


def test_a_product_of_much_more_work_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(ways_of(tucker()).macs(("a", "b", "c"))) >= {(0, 2), (1, 3), (0, 3)}
    assert ways_of(tucker(16, 4)).chains == ()
    monkeypatch.setattr(ways_file, "MOST_WORK", 1000)
    assert ways_of(tucker()).chains == ()


def test_no_more_layers_than_a_decomposition_has_are_one() -> None:
    ways = ways_of(chain_graph((1, 4, 5, 5), [pointwise(4, 4)] * 6))
    (chain,) = ways.chains
    assert max(end - begin for begin, end in ways.macs(chain)) == ways_file.LONGEST


def test_graphs_of_ways_keep_readers_and_drop_what_is_not_used() -> None:
    graph = tucker()
    ways = ways_of(graph)
    chain = ways.chains[0]
    pair = ways.graph_of({chain: ((0, 2), (2, 3))})
    assert [node.name for node in pair.nodes] == ["b", "c", "d"]
    assert pair.node("c") == graph.node("c")
    whole = ways.graph_of({chain: ((0, 3),)})
    assert [node.name for node in whole.nodes] == ["c", "d"]
    assert infer_shapes(whole)["c"] == infer_shapes(graph)["c"]
    assert not {"a.weight", "b.weight", "c.weight"} & set(whole.weights)
    assert ways.graph_of({chain: ((0, 1), (1, 2), (2, 3))}) == graph


def test_chains_of_a_kind_have_layers_of_the_same_sizes_and_densities() -> None:
    graphs = [tucker(), tucker(), tucker(16, 11)]
    kinds = [repr(ways.kind(ways.chains[0])) for ways in map(ways_of, graphs)]
    assert kinds[0] == kinds[1]
    assert kinds[0] != kinds[2]
    strided = chain_graph((1, 3, 9, 9), [window(4, 3, (3, 3), stride=(2, 2)), pointwise(24, 4)])
    assert "stride=(2, 2)" in repr(ways_of(strided).kind(("a", "b")))
