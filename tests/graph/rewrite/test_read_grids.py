from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.graph import Codebook, Dense, Graph, Input, Node, Quantised, interpret, verify
from gossamer.graph.ops import Conv2d, Linear, Quantise
from gossamer.graph.rewrite.pipeline import rewrite
from gossamer.graph.rewrite.read_grids import grid_of, read_grids


def short(rng: np.random.Generator, count: int) -> np.ndarray:
    """Scales of 16 significant bits, of all sizes."""
    return np.ldexp(rng.integers(2**15, 2**16, count), rng.integers(-40, 10, count)).astype("f4")


def linear(weight: np.ndarray, *, levels: bool = False, **roles: np.ndarray) -> Graph:
    names = {role: role for role in ("weight", *roles)}
    first = (Node("q", Quantise(0.5), ("x",)),) if levels else ()
    node = Node("y", Linear(), ("q" if levels else "x",), names)
    weights = {"weight": Dense(weight), **{role: Dense(array) for role, array in roles.items()}}
    return verify(Graph(Input("x", (2, weight.shape[1])), (*first, node), "y", weights))


@given(
    seed=st.integers(0, 10**6),
    bits=st.integers(2, 8),
    density=st.floats(0.2, 1.0),
    shape=st.sampled_from([(3, 20), (4, 3, 3, 3), (8, 1, 3, 3)]),
)
def test_what_was_rounded_is_read_back(seed, bits, density, shape) -> None:
    rng = np.random.default_rng(seed)
    largest = 2 ** (bits - 1) - 1
    integers = rng.integers(-largest, largest + 1, shape) * (rng.random(shape) < density)
    integers[0] = 0  # an empty channel
    weight = Quantised(integers, short(rng, shape[0])).to_dense()
    found = grid_of(weight)
    counts = np.count_nonzero(integers.reshape(shape[0], -1), axis=1)
    if np.maximum(counts - 1, 0).sum() < 8:
        assert found is None
        return
    assert found is not None
    assert np.array_equal(found.to_dense(), weight)
    assert (np.abs(found.integers) <= np.abs(integers)).all()


def test_other_weights_are_on_no_grid(rng: np.random.Generator) -> None:
    normal = rng.standard_normal((8, 4, 3, 3)).astype(np.float32)
    assert grid_of(normal) is None
    assert grid_of(normal.astype(np.float16).astype(np.float32)) is None  # 11 bits, not 7
    on_grid = Quantised(rng.integers(-127, 128, (8, 36)), short(rng, 8)).to_dense().copy()
    assert grid_of(on_grid) is not None
    on_grid[5, 7] = np.nextafter(on_grid[5, 7], np.inf)
    assert grid_of(on_grid) is None
    many = Quantised(rng.integers(-127, 128, (100, 36)), short(rng, 100)).to_dense().copy()
    many[99] = rng.standard_normal(36)
    assert grid_of(many) is None


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e-45, 3e-39])
def test_odd_numbers_are_on_no_grid(value: float) -> None:
    array = np.full((4, 8), 0.5, np.float32)
    array[2] = value
    assert grid_of(array) is None


def test_few_entries_are_no_evidence() -> None:
    assert grid_of(np.eye(8, dtype=np.float32)) is None
    assert grid_of(np.array([[1.0, 2.0, 4.0]])) is None
    assert grid_of(np.zeros((4, 8))) is None
    assert grid_of(np.ones((2, 5))) is not None


def test_integers_for_many_values(rng: np.random.Generator) -> None:
    graph = linear(Quantised(rng.integers(-7, 8, (6, 30)), short(rng, 6)).to_dense())
    made = read_grids(graph)
    assert isinstance(made.weights["weight"], Quantised)
    assert made.weights["weight"].bits <= 4
    x = rng.standard_normal((2, 30)).astype(np.float32)
    assert np.array_equal(interpret(made, x), interpret(graph, x))


def test_signs_are_a_codebook_with_a_scale(rng: np.random.Generator) -> None:
    weight = rng.choice([-1, 1], (6, 30)) * short(rng, 6)[:, None]
    before = rng.random(6)
    made = read_grids(linear(weight, scale=before))
    node = made.nodes[-1]
    codes = made.weights[node.weights["weight"]]
    assert isinstance(codes, Codebook)
    assert codes.centroids.tolist() == [-1, 1]
    x = rng.standard_normal((2, 30)).astype(np.float32)
    np.testing.assert_allclose(
        interpret(made, x), interpret(linear(weight, scale=before), x), rtol=1e-5
    )


def test_signs_that_read_levels_are_integers(rng: np.random.Generator) -> None:
    weight = rng.choice([-1, 0, 1], (6, 30)) * short(rng, 6)[:, None]
    made = read_grids(linear(weight, levels=True))
    assert made.weights["weight"].kind == "quantised"


def test_what_reads_levels_needs_no_evidence(rng: np.random.Generator) -> None:
    weight = rng.standard_normal((6, 1)).astype(np.float32)
    assert read_grids(linear(weight)).weights["weight"].kind == "dense"
    made = read_grids(linear(weight, levels=True)).weights["weight"]
    assert made.kind == "quantised"
    assert np.array_equal(made.to_dense(), weight)
    other = read_grids(linear(rng.standard_normal((6, 2)).astype(np.float32), levels=True))
    assert other.weights["weight"].kind == "dense"


def test_one_pair_of_values_is_a_codebook_of_its_own(rng: np.random.Generator) -> None:
    weight = rng.choice([-0.3, 0, 0.3], (6, 30))
    made = rewrite(linear(weight))
    assert isinstance(made.weights["weight"], Codebook)
    assert "scale" not in made.nodes[-1].weights


def test_a_weight_of_two_layers_is_held_once(rng: np.random.Generator) -> None:
    weight = Quantised(rng.integers(-9, 9, (4, 4, 3, 3)), short(rng, 4)).to_dense()
    nodes = tuple(
        Node(name, Conv2d(padding=(1, 1, 1, 1)), (source,), {"weight": "w"})
        for name, source in (("a", "x"), ("b", "a"))
    )
    graph = verify(Graph(Input("x", (1, 4, 5, 5)), nodes, "b", {"w": Dense(weight)}))
    made = read_grids(graph)
    assert list(made.weights) == ["w"]
    assert made.weights["w"].kind == "quantised"
