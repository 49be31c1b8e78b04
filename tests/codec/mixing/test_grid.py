import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gossamer.codec.mixing.grid import grid_of, grid_values


@given(
    st.lists(st.integers(-300, 300).filter(bool), min_size=1, max_size=40, unique=True),
    st.floats(2.0**-40, 2.0**40, width=32),
)
def test_multiples_are_found(multiples, step):
    values = grid_values(np.float32(step), np.sort(multiples))
    found = grid_of(values)
    assert found is not None
    assert grid_values(*found).tobytes() == values.tobytes()


def test_what_is_no_grid_is_not_found():
    for values in ([], [1.0, 1.0], [2.0, 1.0], [-1.0, 0.0, 1.0], [1.0, np.inf], [1.0, np.pi, 9.9]):
        assert grid_of(np.float32(values)) is None
