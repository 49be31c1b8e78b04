import numpy as np
import pytest

from gossamer.codec.container import unpack
from gossamer.codec.limits import Limits
from gossamer.codec.profile import PROFILES
from gossamer.codec.read import decode
from gossamer.codec.write import encode
from gossamer.errors import FormatError, GraphError
from gossamer.graph import Codebook, Dense, Graph, Input, Sparse
from gossamer.graph.graph import Node
from gossamer.graph.layouts import Layout
from gossamer.graph.ops import Activation


def test_a_graph_comes_back(small_graph):
    decoded = decode(encode(small_graph))
    assert decoded == small_graph
    assert str(decoded) == str(small_graph)


def test_a_graph_without_nodes_or_weights_comes_back():
    for nodes, output in (((), "x"), ((Node("a", Activation("relu"), ("x",)),), "a")):
        graph = Graph(Input("x", (1, 2)), nodes, output, {})
        assert decode(encode(graph)) == graph


def test_an_output_that_is_not_the_last_value_comes_back(small_graph):
    graph = Graph(small_graph.input, small_graph.nodes, "sum", small_graph.weights)
    assert decode(encode(graph)) == graph


def test_equal_graphs_give_equal_bytes(small_graph):
    again = Graph(
        small_graph.input,
        small_graph.nodes,
        small_graph.output,
        dict(reversed(small_graph.weights.items())),
        small_graph.record,
        small_graph.name,
    )
    assert again == small_graph
    assert encode(again) == encode(small_graph) == encode(small_graph)


def test_small_dense_tensors_share_a_section(small_graph):
    sections = unpack(encode(small_graph, "fast"), Limits()).header["sections"]
    assert sections == [["dense", [1, 3, 4, 5]], ["sparse", 1], ["codebook", 1]]


def test_large_dense_tensors_stand_alone(graph_around, rng):
    graph = graph_around(Dense(rng.standard_normal((70, 70))))
    assert unpack(encode(graph, "fast"), Limits()).header["sections"] == [["dense", 1]]
    assert decode(encode(graph)) == graph


@pytest.mark.parametrize("density", [0.0, 0.001, 0.3, 1.0])
@pytest.mark.parametrize("layout", [Dense, Sparse, Codebook])
def test_layouts_of_any_density_come_back(graph_around, rng, layout, density):
    array = rng.integers(1, 9, (40, 50)) * (rng.random((40, 50)) < density)
    graph = graph_around(layout.from_dense(array.astype(np.float32)))
    for profile in PROFILES:
        assert decode(encode(graph, profile)) == graph


def test_a_sparse_file_is_smaller_than_its_positions_and_values(graph_around, rng):
    array = rng.standard_normal((100, 200)).astype(np.float32) * (rng.random((100, 200)) < 0.1)
    graph = graph_around(Sparse.from_dense(array))
    nonzeros = graph.weights["y.weight"].nonzeros
    assert len(encode(graph)) < nonzeros * (32 + 5) / 8 + 200


def test_a_graph_that_is_not_well_formed_is_refused(small_graph):
    with pytest.raises(GraphError):
        encode(Graph(small_graph.input, small_graph.nodes, "nowhere", small_graph.weights))


def test_an_unknown_layout_is_named(graph_around):
    class Strange(Layout):
        kind = "strange"
        shape = (1, 2)
        nonzeros = 0  # type: ignore[assignment]

        def to_dense(self):
            return np.zeros((1, 2), np.float32)

        @classmethod
        def from_dense(cls, array):
            return cls()

        def parts(self):
            return ()

    with pytest.raises(FormatError, match=r"weight 'y.weight'.*strange"):
        encode(graph_around(Strange()))


def test_names_without_bytes_are_refused():
    graph = Graph(Input("x", (1, 2)), (Node("\ud800", Activation("relu"), ("x",)),), "\ud800", {})
    with pytest.raises(FormatError, match="JSON"):
        encode(graph)
