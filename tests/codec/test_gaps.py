import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.codec.gaps import (
    GapForm,
    has_columns,
    run_gaps,
    symbol_counts,
    to_positions,
    to_symbols,
    widths,
)
from gossamer.errors import FormatError


@st.composite
def tensors(draw):
    shape = tuple(draw(st.lists(st.integers(1, 7), max_size=4)))
    size = int(np.prod(shape, dtype=int))
    positions = draw(st.sets(st.integers(0, size - 1)))
    return shape, np.array(sorted(positions), np.uint32)


@given(tensors(), st.integers(1, 16), st.booleans())
def test_positions_come_back(tensor, bits, by_columns):
    shape, positions = tensor
    form = GapForm(bits, by_columns)
    symbols = to_symbols(run_gaps(positions, shape, by_columns), form)
    assert to_positions(symbols, form, shape, len(positions)).tolist() == positions.tolist()


@given(tensors(), st.integers(1, 12), st.booleans())
def test_counts_are_those_of_the_symbols(tensor, bits, by_columns):
    shape, positions = tensor
    form = GapForm(bits, by_columns)
    gaps = run_gaps(positions, shape, by_columns)
    distinct, occurrences = np.unique(gaps, return_counts=True)
    expected = np.bincount(to_symbols(gaps, form), minlength=form.alphabet)
    assert symbol_counts(distinct, occurrences, form).tolist() == expected.tolist()


def test_gaps_of_one_bit_are_the_mask_itself():
    mask = np.array([0, 1, 0, 0, 1, 1])
    gaps = run_gaps(np.flatnonzero(mask), (6,), by_columns=False)
    assert to_symbols(gaps, GapForm(1)).tolist() == [1, 0, 1, 1, 0, 0]


def test_the_example_of_deep_compression():
    # Han et al. 2016, figure 2: nonzeros at 1, 4 and 15 with 3 bits; the paper puts a filler zero
    # with a value at 12. Here it is a symbol of the gaps alone: 3 values, not 4.
    gaps = run_gaps(np.array([1, 4, 15]), (16,), by_columns=False)
    symbols = to_symbols(gaps, GapForm(3))
    assert symbols.tolist() == [1, 2, 7, 3]
    assert to_positions(symbols, GapForm(3), (16,), 3).tolist() == [1, 4, 15]


def test_columns_gather_what_reads_the_same_input():
    column = np.zeros((4, 5), bool)
    column[:, 2] = True
    assert run_gaps(np.flatnonzero(column), (4, 5), by_columns=True).tolist() == [8, 0, 0, 0]


def test_vectors_have_one_order():
    assert not has_columns((9,))
    assert not has_columns((1, 9))
    assert has_columns((3, 3))


def test_wider_gaps_than_tried_change_nothing():
    for largest in (0, 1, 2, 3, 100):
        gaps = np.array([largest, 0])
        last = widths(largest)[-1]
        assert to_symbols(gaps, GapForm(last)).tolist() == gaps.tolist()
        assert last == 1 or len(to_symbols(gaps, GapForm(last - 1))) > 2
    assert widths(2**20) == range(1, 13)


@pytest.mark.parametrize(
    ("symbols", "nonzeros", "message"),
    [
        ([0, 3, 3, 2], 2, "outside"),
        ([0, 1, 3], 2, "number of gaps"),
        ([0, 1], 3, "number of gaps"),
        ([0, 1], 1, "number of gaps"),
        ([3, 3, 3, 3, 3], 0, "number of gaps"),
    ],
)
def test_gaps_that_do_not_fit_are_refused(symbols, nonzeros, message):
    with pytest.raises(FormatError, match=message):
        to_positions(np.array(symbols, np.uint16), GapForm(2), (3, 3), nonzeros)
