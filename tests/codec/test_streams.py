import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossamer.codec.gaps import GapForm, run_gaps, to_symbols
from gossamer.codec.limits import Budget, Limits
from gossamer.codec.mixing.tensor import fits
from gossamer.codec.section import SectionReader, write_stream
from gossamer.codec.streams import FORMS, choose_form, write_positions
from gossamer.errors import FormatError
from gossamer.graph.layouts import LAYOUTS, Codebook, Dense, Quantised, Sparse

# Quiet and signalling NaNs with payloads, infinities, zeros, denormals, extremes.
STRANGE = np.array(
    [
        0x7FC00001,
        0x7F800001,
        0xFFFFFFFF,
        0x7F800000,
        0xFF800000,
        0x80000000,
        0,
        1,
        0x807FFFFF,
        0x7F7FFFFF,
    ],
    np.uint32,
).view(np.float32)


def read(kind, data, shapes):
    reader = SectionReader(memoryview(data), Budget(Limits(), len(data)))
    layouts = FORMS[kind].read(reader, shapes)
    reader.finish()
    return layouts


def assert_comes_back(*layouts):
    kind = layouts[0].kind
    data = FORMS[kind].write(layouts)
    shapes = [layout.shape for layout in layouts]
    assert read(kind, data, shapes) == list(layouts)
    if all(map(fits, layouts)):
        assert read("mixed", FORMS["mixed"].write(layouts), shapes) == list(layouts)


def test_every_layout_has_a_form():
    assert set(FORMS) == {*LAYOUTS, "mixed"}


@st.composite
def layouts(draw):
    shape = tuple(draw(st.lists(st.integers(0, 6), max_size=4)))
    size = int(np.prod(shape, dtype=int))
    positions = np.flatnonzero(draw(st.lists(st.booleans(), min_size=size, max_size=size)))
    words = st.integers(0, 2**32 - 1) | st.sampled_from(STRANGE.view(np.uint32).tolist())

    def floats(count):
        drawn = draw(st.lists(words, min_size=count, max_size=count))
        return np.array(drawn, np.uint32).view(np.float32)

    match draw(st.sampled_from(["dense", "sparse", "codebook", "quantised"])):
        case "dense":
            return Dense(floats(size).reshape(shape))
        case "sparse":
            return Sparse(shape, positions, floats(len(positions)))
        case "quantised" if shape:
            integers = np.zeros(size, int)
            half = draw(st.sampled_from([1, 2, 8, 128]))
            integers[positions] = draw(st.integers(-half, half - 1))
            return Quantised(integers.reshape(shape), np.nan_to_num(floats(shape[0])))
    entries = draw(st.integers(1, 5))
    codes = draw(
        st.lists(st.integers(0, entries - 1), min_size=len(positions), max_size=len(positions))
    )
    return Codebook(shape, positions, np.array(codes, np.uint16), floats(entries))


@settings(deadline=None)
@given(layouts())
def test_any_layout_comes_back_bit_for_bit(layout):
    assert_comes_back(layout)


def test_strange_floats_come_back_in_every_layout():
    positions = np.arange(10)
    assert_comes_back(Dense(STRANGE))
    assert_comes_back(Sparse((2, 20), positions + 7, STRANGE))
    assert_comes_back(Codebook((2, 20), positions + 7, positions[::-1], STRANGE))


def test_dense_tensors_share_a_section(rng):
    parts = [Dense(rng.standard_normal(shape)) for shape in ((3,), (0, 2), (2, 2), ())]
    assert_comes_back(*parts)


def test_the_largest_codebook(rng):
    centroids = rng.standard_normal(2**16).astype(np.float32)
    assert_comes_back(Codebook((2, 2**15), np.arange(2**16), rng.permutation(2**16), centroids))


def test_an_empty_codebook():
    none = np.zeros(0)
    assert_comes_back(Codebook((2, 2), none, none, none))
    assert_comes_back(Sparse((2, 2), none, none))


def test_fillers_take_no_value(rng):
    far = Sparse((1, 10**6), [10**6 - 1], [1.5])
    assert len(FORMS["sparse"].write([far])) < 60
    assert_comes_back(far)


def test_columns_are_chosen_where_inputs_are_dead(rng):
    mask = np.zeros((64, 100), bool)
    mask[:, rng.choice(100, 10, replace=False)] = True
    assert choose_form(np.flatnonzero(mask), mask.shape).by_columns
    assert not choose_form(np.flatnonzero(mask.T), mask.T.shape).by_columns


@pytest.mark.parametrize("density", [0.02, 0.1, 0.5, 1.0])
def test_positions_come_close_to_their_entropy(rng, density):
    mask = rng.random(100_000) < density
    written = 8 * len(write_positions(np.flatnonzero(mask), mask.shape))
    p = mask.mean()
    bound = 0 if p == 1 else -len(mask) * (p * np.log2(p) + (1 - p) * np.log2(1 - p))
    assert bound <= written + 8 * 3 <= 1.06 * bound + 800


def test_the_form_is_the_smallest(rng):
    positions = np.flatnonzero(rng.random((20, 30)) < 0.2)

    def size(form: GapForm) -> int:
        symbols = to_symbols(run_gaps(positions, (20, 30), form.by_columns), form)
        return len(write_stream(symbols, form.alphabet))

    every = [GapForm(bits, by_columns) for by_columns in (False, True) for bits in range(1, 13)]
    assert size(choose_form(positions, (20, 30))) == min(map(size, every))


def test_quantised_tensors_store_zeros_only_where_that_is_smaller(rng):
    def stored(density):
        integers = rng.integers(-127, 128, (50, 60)) * (rng.random((50, 60)) < density)
        layout = Quantised(integers, np.ones(50))
        reader = SectionReader(memoryview(FORMS["quantised"].write([layout])), Budget(Limits(), 0))
        assert FORMS["quantised"].read(reader, [layout.shape]) == [layout]
        return reader.streams[-1].symbols, layout.nonzeros

    assert stored(1.0)[0] == 3000
    few, nonzeros = stored(0.2)
    assert few == nonzeros < 700


def test_four_bits_take_half_a_byte(rng):
    layout = Quantised(rng.integers(-8, 8, (100, 100)), np.ones(100))
    assert len(FORMS["quantised"].write([layout])) < 5100


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        ("quantised", "00", "wrong number of bits"),
        ("quantised", "09", "wrong number of bits"),
        ("sparse", "0a", "more positions"),
        ("sparse", "0100", "width"),
        ("sparse", "0111", "width"),
        ("sparse", "010105", "more fillers"),
        ("sparse", "01ff8001", "width"),
        ("codebook", "81800400", "too many centroids"),
        ("codebook", "000a00000000", "more positions"),
    ],
)
def test_counts_are_checked(kind, data, message):
    with pytest.raises(FormatError, match=message):
        read(kind, bytes.fromhex(data), [(3, 1)])
