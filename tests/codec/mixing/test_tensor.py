import numpy as np
import pytest

from gossamer.codec.limits import Budget, Limits
from gossamer.codec.mixing.stream import MixedStream
from gossamer.codec.mixing.tensor import KINDS, code_tensor, few_values, fits
from gossamer.codec.parity import next_state
from gossamer.errors import FormatError, LimitExceededError
from gossamer.graph.layouts import Codebook, Dense, Quantised, Sparse


def written(*layouts):
    stream = MixedStream()
    for layout in layouts:
        code_tensor(stream, layout.shape, layout, lambda symbols: None)
    return stream.finish()


def read(data, *shapes, symbols=10**6):
    stream = MixedStream(data)
    budget = Budget(Limits(free_symbols=symbols, symbols_per_byte=0), 0)
    layouts = [code_tensor(stream, shape, None, budget.take) for shape in shapes]
    stream.finish()
    return layouts


def test_all_layouts_share_a_stream(rng):
    integers = rng.integers(-128, 128, (6, 5))
    array = np.where(rng.random((6, 5)) < 0.5, integers / 8, 0).astype(np.float32)
    layouts = [
        Dense(rng.standard_normal((2, 3))),
        Dense(array),
        Sparse.from_dense(array),
        Codebook.from_dense(array),
        Codebook((4,), [1, 3], [1, 1], np.array([-0.0, np.nan, np.inf], np.float32)),
        Codebook((2, 2), [], [], []),
        Quantised(integers, rng.random(6)),
        Quantised(np.full((3, 1), -128), np.ones(3)),
    ]
    assert read(written(*layouts), *[layout.shape for layout in layouts]) == layouts


def test_a_grid_costs_its_step(rng):
    codes = rng.integers(-60, 61, (30, 40))
    on_grid = Codebook.from_dense((codes * np.float32(0.0123)).astype(np.float32))
    moved = on_grid.centroids.copy()
    moved[3] = np.nextafter(moved[3], np.float32(1))
    off_grid = Codebook(on_grid.shape, on_grid.positions, on_grid.codes, moved)
    for book in (on_grid, off_grid):
        assert read(written(book), book.shape) == [book]
    assert len(written(off_grid)) > len(written(on_grid)) + 2 * 120


def test_a_gap_around_zero_costs_nothing(rng):
    """Pruned weights: no small magnitudes. They are counted from the smallest."""
    codes = rng.integers(40, 44, (40, 40)) * rng.choice([-1, 1], (40, 40))
    book = Codebook.from_dense((codes * np.float32(0.5)).astype(np.float32))
    assert read(written(book), book.shape) == [book]
    assert len(written(book)) < 1600 * 3 / 8 * 1.06 + 20


def chained(halves, step=0.5):
    """A codebook of levels whose lowest bits are told; the others are given, (K, F)."""
    levels = np.zeros(halves.shape, np.int64)
    for row, half in zip(levels, halves.tolist(), strict=True):
        state = 0
        for place, other in enumerate(half):
            row[place] = 2 * other + (state & 1)
            state = next_state(state, int(row[place]))
    return Codebook.from_dense((levels * np.float32(step)).astype(np.float32))


@pytest.mark.parametrize("scale", [0.3, 2, 50, 150])
def test_lowest_bits_that_are_told_cost_nothing(rng, scale):
    halves = np.rint(rng.laplace(scale=scale, size=(40, 50))).astype(int).clip(-1000, 1000)
    book = chained(halves)
    wrong = chained(halves).to_dense().copy()
    wrong[20, 25] += 0.5
    unchained = Codebook.from_dense(wrong)
    for one in (book, unchained):
        assert read(written(one), one.shape) == [one]
    saved = 8 * (len(written(unchained)) - len(written(book)))
    assert 0.85 * 2000 < saved < 1.1 * 2000


def test_chains_are_refused_where_the_version_has_none(rng):
    book = chained(rng.integers(-3, 4, (8, 9)))
    forged = MixedStream(version=4)
    forged.number(0, KINDS.index("codebook"))
    forged.number(5, 2)
    with pytest.raises(FormatError, match="form of a codebook"):
        code_tensor(MixedStream(forged.finish(), version=4), book.shape, None, lambda symbols: None)
    older = MixedStream(version=4)
    code_tensor(older, book.shape, book, lambda symbols: None)
    reader = MixedStream(older.finish(), version=4)
    assert code_tensor(reader, book.shape, None, lambda symbols: None) == book


@pytest.mark.parametrize("longest", [0, 15, 16])
def test_chained_levels_of_impossible_lengths_are_refused(longest):
    stream = MixedStream()
    for context, number in ((0, 2), (5, 2)):
        stream.number(context, number)
    stream.floats(np.ones(1, np.float32))
    stream.number(3, longest)
    with pytest.raises(FormatError, match="too large"):
        read(stream.finish(), (4, 4))


def test_few_distinct_floats_are_found(rng):
    values = rng.choice(np.float32([-0.0, 0.0, 0.3, np.nan, 1e30, -7]), (20, 10))
    assert few_values(values).to_dense().tobytes() == values.tobytes()
    assert read(written(Dense(values)), (20, 10)) == [Dense(values)]
    assert len(written(Dense(values))) < 200 * 2.6 / 8 * 1.1 + 40
    assert few_values(rng.standard_normal((20, 10)).astype(np.float32)) is None
    assert few_values(np.zeros(0, np.float32)).size == 0


def test_books_of_too_many_values_do_not_fit():
    assert fits(Codebook((2,), [0], [5], np.arange(1, 9, dtype=np.float32)))
    assert not fits(Codebook((2,), [0], [5], np.ones(2**15)))


def test_memory_is_charged_before_it_is_taken():
    zeros = written(Sparse((2**10, 2**10), [], []))
    assert len(zeros) < 10
    assert read(zeros, (2**10, 2**10))[0].nonzeros == 0
    for shape in ((2**14, 2**14), (1, 2**28), (2**28, 1), (1, 1, 2**14, 2**14), (2**28,)):
        with pytest.raises(LimitExceededError):
            read(zeros, shape)
        with pytest.raises(FormatError):
            read(written(Dense(np.float32([1, 2]))), shape)
        with pytest.raises(FormatError):
            read(written(Quantised(np.ones((2, 2), int), np.ones(2))), shape)


def craft(*numbers):
    """A stream of numbers only."""
    stream = MixedStream()
    for context, value in numbers:
        stream.number(context, value)
    return stream.finish()


@pytest.mark.parametrize(
    "numbers",
    [
        [(0, 4)],
        [(0, 2**39)],
        [(0, 1), (2, 2**39), (3, 1)],
        [(0, 1), (2, 0), (3, 16)],
        [(0, 1), (2, 65535), (3, 1)],
        [(0, 2), (5, 0), (4, 2**15)],
        [(0, 2), (5, 0), (4, 2**39)],
    ],
)
def test_numbers_are_checked(numbers):
    with pytest.raises(FormatError):
        read(craft(*numbers), (3, 3))


def test_a_quantised_tensor_without_axes_is_refused():
    with pytest.raises(FormatError, match="axis"):
        read(craft((0, 3)), ())


def test_levels_must_mean_something():
    def levels_of(kind, values, longest, *, scales=0, entries=None):
        stream = MixedStream()
        stream.number(0, kind)
        if kind == 2:
            stream.number(5, 0)
            stream.number(4, entries)
            stream.floats(np.ones(entries, np.float32))
        stream.floats(np.ones(scales, np.float32))
        stream.number(2, 0)
        stream.number(3, longest)
        stream.levels(np.array(values), longest)
        return stream.finish()

    with pytest.raises(FormatError, match="marked"):
        read(levels_of(1, [2, 0], 2), (2,))
    with pytest.raises(FormatError, match="byte"):
        read(levels_of(3, [128, 0], 8, scales=2), (2,))
    for level in (-1, 3):
        with pytest.raises(FormatError, match="no centroid"):
            read(levels_of(2, [level, 1], 2, entries=2), (2,))
    assert read(levels_of(2, [2, 1], 2, entries=2), (2,))[0].codes.tolist() == [1, 0]
