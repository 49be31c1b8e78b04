import numpy as np
import pytest

from gossamer.errors import DataError, ShapeError, SpecError
from gossamer.sparsecoding.arrays import as_array, as_count, as_number


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.int64, np.uint8, bool])
def test_real_numbers_become_float64(kind):
    array = as_array(np.ones((2, 3), kind), "signals", ("N", 3))
    assert array.dtype == np.float64
    assert (array == 1).all()


def test_what_comes_back_is_a_copy():
    given = np.ones(3)
    as_array(given, "thresholds", (3,))[0] = 2.0
    assert (given == 1).all()


@pytest.mark.parametrize("values", [[1.0], 1.0, [[[1.0]]], [[1.0], [2.0]], [[1.0], [2.0, 3.0]]])
def test_other_shapes_are_refused(values):
    with pytest.raises(ShapeError, match=r"^signals: "):
        as_array(values, "signals", ("N", 2))


@pytest.mark.parametrize("values", [[["a"]], [[1j]], [[None]]])
def test_what_is_no_real_number_is_refused(values):
    with pytest.raises(DataError, match=r"^signals: not real numbers"):
        as_array(values, "signals", ("N", 1))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e51])
def test_the_place_of_a_bad_number_is_said(value):
    with pytest.raises(DataError, match=r"^signals\[1, 0\]: ") as caught:
        as_array([[1.0, 2.0], [value, np.nan]], "signals", ("N", 2))
    assert f"got {value}," in str(caught.value)


@pytest.mark.parametrize("value", [-1e-9, np.nan, np.inf, 10**400, "1", None])
def test_options_that_are_no_numbers_are_refused(value):
    with pytest.raises(SpecError, match=r"^penalty: out of range"):
        as_number(value, "penalty")


@pytest.mark.parametrize("value", [0, -1, 1.0, "1", None])
def test_options_that_are_no_counts_are_refused(value):
    with pytest.raises(SpecError, match=r"^layers: not a count"):
        as_count(value, "layers")
