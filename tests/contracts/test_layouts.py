"""The contract that every layout of weights keeps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from gossamer.errors import ShapeError
from gossamer.graph.layouts import LAYOUTS, Codebook, Dense, Layout, Sparse

VALUES = st.sampled_from([0.0, -0.0, 1.0, -2.5, 1e-30, 3e38])
WEIGHTS = arrays.arrays(
    np.float32, arrays.array_shapes(min_dims=1, max_dims=4, max_side=4), elements=VALUES
)
# A quantised tensor cannot be made of floats: tests/graph/layouts/test_quantised.py.
kinds = pytest.mark.parametrize("kind", sorted({*LAYOUTS} - {"quantised"}))


@kinds
@given(array=WEIGHTS)
def test_holds_any_array(kind: str, array: np.ndarray) -> None:
    layout = LAYOUTS[kind].from_dense(array)
    assert isinstance(layout, Layout)
    assert layout.kind == kind
    assert layout.shape == array.shape
    assert layout.size == array.size
    assert layout.nonzeros == np.count_nonzero(array)
    assert layout.density == np.count_nonzero(array) / array.size
    dense = layout.to_dense()
    assert dense.dtype == np.float32
    np.testing.assert_array_equal(dense, array)


@kinds
@given(array=WEIGHTS)
def test_equality_is_by_content(kind: str, array: np.ndarray) -> None:
    cls = LAYOUTS[kind]
    one, two = cls.from_dense(array), cls.from_dense(array.copy())
    assert one == two
    assert hash(one) == hash(two)
    assert one != cls.from_dense(np.full_like(array, 7))
    assert one != cls.from_dense(array[None])
    assert one != array.tolist()


@kinds
@given(array=WEIGHTS, seed=st.integers(0, 2**32 - 1))
def test_slices_are_taken_in_the_same_form(kind: str, array: np.ndarray, seed: int) -> None:
    layout, rng = LAYOUTS[kind].from_dense(array), np.random.default_rng(seed)
    axis = int(rng.integers(array.ndim))
    indices = rng.integers(array.shape[axis], size=3)
    taken = layout.take(indices, axis)
    assert taken.kind == kind
    np.testing.assert_array_equal(taken.to_dense(), array.take(indices, axis))


@kinds
def test_keeps_its_own_copy_and_is_read_only(kind: str) -> None:
    array = np.ones((2, 3), np.float32)
    layout = LAYOUTS[kind].from_dense(array)
    array[:] = 7
    assert (layout.to_dense() == 1).all()
    assert all(not part.flags.writeable for part in layout.parts())


@kinds
@pytest.mark.parametrize("shape", [(0,), (3, 0), (2, 2)])
def test_holds_empty_and_all_zero_arrays(kind: str, shape: tuple[int, ...]) -> None:
    layout = LAYOUTS[kind].from_dense(np.zeros(shape, np.float32))
    assert layout.nonzeros == 0
    assert layout.density == 0
    assert layout.to_dense().shape == shape


@kinds
def test_rounds_to_float32(kind: str) -> None:
    layout = LAYOUTS[kind].from_dense(np.array([[1 / 3, 0.0]]))
    assert layout.to_dense()[0, 0] == np.float32(1 / 3)


POSITIONS = [
    np.array([1, 1]),
    np.array([2, 1]),
    np.array([0, 6]),
    np.array([-1, 2]),
    np.array([0, 2**32 + 1]),
    np.array([0.0, 1.0]),
    np.array([[0, 1]]),
]


@pytest.mark.parametrize("positions", POSITIONS, ids=str)
def test_bad_positions(positions: np.ndarray) -> None:
    with pytest.raises(ShapeError):
        Sparse((2, 3), positions, np.ones(positions.shape))
    with pytest.raises(ShapeError):
        Codebook((2, 3), positions, np.zeros(positions.shape, int), np.ones(1))


@pytest.mark.parametrize("shape", [(-2, -3), (2**31, 4), [2, 3], (2.0, 3), ("2", 3)], ids=str)
def test_bad_shapes(shape: object) -> None:
    with pytest.raises(ShapeError):
        Sparse(shape, np.array([0]), np.ones(1))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("codes", "centroids"),
    [
        ([0], [1.0]),
        ([0, 1], [1.0]),
        ([0, -1], [1.0, 2.0]),
        ([0, 2**16], np.ones(2**16)),
        ([0, 0], np.ones(2**16 + 1)),
        ([0, 0], [[1.0]]),
    ],
    ids=lambda value: str(value)[:12],
)
def test_bad_codebooks(codes: list[int], centroids: np.ndarray) -> None:
    with pytest.raises(ShapeError):
        Codebook((2, 3), np.array([0, 1]), np.array(codes), np.asarray(centroids))


def test_too_many_values_for_a_codebook() -> None:
    with pytest.raises(ShapeError, match="too many distinct values"):
        Codebook.from_dense(np.arange(1, 2**16 + 3, dtype=np.float32))


def test_values_must_match_positions() -> None:
    with pytest.raises(ShapeError, match="one value a position"):
        Sparse((2, 3), np.array([0, 1]), np.ones(3))


def test_stored_zeros_do_not_count() -> None:
    assert Sparse((4,), np.array([0, 1]), np.array([0.0, 2.0])).nonzeros == 1
    assert Codebook((4,), np.array([0, 1]), np.array([0, 1]), np.array([0.0, 2.0])).nonzeros == 1
    assert Dense(np.array([0.0, 2.0])).nonzeros == 1
