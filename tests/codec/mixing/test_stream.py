"""The native loops against the same text run by Python, and both against damage."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossamer.codec.mixing.stream import MixedStream, as_filters
from gossamer.codec.parity import is_told, next_state
from gossamer.counts import entropy_bits
from gossamer.errors import FormatError

SHAPES = [(), (0,), (7,), (3, 0, 2), (4, 5), (2, 3, 4), (3, 2, 3, 3), (2, 2, 1, 7), (1, 2, 2, 2, 3)]


def both_ways(use, *, plain=False, version=6):
    """Write by `use`, read again, and return the bytes and what was read."""
    writer = MixedStream(plain=plain, version=version)
    written = use(writer)
    data = writer.finish()
    reader = MixedStream(data, plain=plain, version=version)
    found = use(reader)
    assert reader.finish() == data
    assert abs(reader.ideal_bits - writer.ideal_bits) < 1e-9
    return data, written, found


def laplacian(rng, shape, density=0.6, scale=9.0):
    values = np.rint(rng.laplace(scale=scale, size=shape)).astype(int)
    return np.where(rng.random(shape) < density, values, 0)


@pytest.mark.parametrize("version", [3, 4, 5, 6])
@pytest.mark.parametrize("shape", SHAPES)
def test_levels_come_back_and_both_directions_agree_with_plain_python(rng, shape, version):
    values = laplacian(rng, shape)
    longest = int(np.abs(values).max(initial=0)).bit_length()

    def use(stream):
        return stream.levels(values if stream.writing else np.zeros(shape, int), longest)

    data, _, found = both_ways(use, version=version)
    assert found.dtype == np.int16
    assert found.tolist() == values.tolist()
    assert both_ways(use, plain=True, version=version)[0] == data


@pytest.mark.parametrize("version", [5, 6])
@pytest.mark.parametrize("shape", [(2, 3, 4), (3, 2, 3, 3), (9, 40)])
def test_chained_levels_agree_with_plain_python(rng, shape, version):
    values = laplacian(rng, shape).reshape(shape[0], -1)
    for row in values:
        state = 0
        for place, level in enumerate(row.tolist()):
            row[place] = level ^ ((level ^ state) & 1)
            state = next_state(state, int(row[place]))
    longest = int(np.abs(values).max() >> 1).bit_length()

    def use(stream):
        given = values.reshape(shape) if stream.writing else np.zeros(shape, int)
        return stream.levels(given, longest, chained=True)

    data, _, found = both_ways(use, version=version)
    assert found.tolist() == values.reshape(shape).tolist()
    assert both_ways(use, plain=True, version=version)[0] == data


@pytest.mark.parametrize("version", [5, 6])
def test_the_largest_chained_levels_come_back(version):
    values = np.array([[32766, 2**14, -32766], [0, -32766, 32766]])
    values[0, 2] -= next_state(next_state(0, 32766), 2**14) & 1
    for row in values:
        assert is_told(row[None])
    given = [values, np.zeros((2, 3), int)]
    _, _, found = both_ways(
        lambda s: s.levels(given[not s.writing], 14, chained=True), version=version
    )
    assert found.tolist() == values.tolist()


@pytest.mark.parametrize("repeated", [1, 20])
def test_levels_of_all_magnitudes_come_back(repeated):
    """Repeated often, large ones are expected, and counted from their middle."""
    values = np.array([[2**n, -(2**n) + 1] for n in range(15)] + [[32767, -32767]])
    values = np.repeat(values, repeated, axis=0)
    _, _, found = both_ways(lambda s: s.levels(values if s.writing else 0 * values, 15))
    assert found.tolist() == values.tolist()


def test_floats_come_back_bit_for_bit(rng):
    words = rng.integers(0, 2**32, 300, np.uint32)
    words[50:80] = words[50]
    words[100:200] = rng.standard_normal(100).astype(np.float16).astype(np.float32).view(np.uint32)

    def use(stream):
        floats = words.view(np.float32) if stream.writing else np.zeros(300, np.float32)
        return stream.floats(floats).view(np.uint32)

    data, _, found = both_ways(use)
    assert found.tolist() == words.tolist()
    assert both_ways(use, plain=True)[0] == data


def test_floats_of_half_precision_take_half(rng):
    half = rng.standard_normal(2000).astype(np.float16).astype(np.float32)
    data, _, _ = both_ways(lambda s: s.floats(half if s.writing else 0 * half))
    assert len(data) < 2.05 * len(half)
    data, _, _ = both_ways(lambda s: s.floats(np.full(2000, 0.1, np.float32)))
    assert len(data) < 30


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 2**40 - 2)), max_size=30))
def test_numbers_come_back(pairs):
    def use(stream):
        return [stream.number(c, value if stream.writing else 0) for c, value in pairs]

    data, written, found = both_ways(use)
    assert found == written == [value for _, value in pairs]
    assert both_ways(use, plain=True)[0] == data


def test_parts_share_what_was_learnt(rng):
    parts = [laplacian(rng, (20, 8, 3, 3), 0.2, 3.0) for _ in range(4)]

    def size(*some):
        return len(both_ways(lambda s: [s.levels(p if s.writing else 0 * p, 6) for p in some])[0])

    assert size(*parts) < sum(map(size, parts))


def test_the_ideal_length_is_nearly_reached_and_near_the_entropy(rng):
    values = laplacian(rng, (100, 200), 0.1, 3.0)
    writer = MixedStream()
    writer.levels(values, 6)
    ideal, data = writer.ideal_bits, writer.finish()
    assert abs(8 * len(data) - ideal) < 0.003 * ideal + 32
    # Nothing to be found here: independent entries. What learning costs is this much.
    assert entropy_bits(values) * 0.99 < ideal < entropy_bits(values) * 1.03


def test_structure_is_found(rng):
    """Rows and columns of very different density: far below the zero-order entropy."""
    density = rng.random(256)[:, None] ** 4 * rng.random(256)[None] ** 4
    values = np.where(rng.random((256, 256)) < density, rng.integers(-3, 4, (256, 256)), 0)
    data, _, _ = both_ways(lambda s: s.levels(values if s.writing else 0 * values, 2))
    assert 8 * len(data) < 0.85 * entropy_bits(values)


def test_what_is_cut_long_or_changed_is_refused_or_another_tensor(rng):
    values = laplacian(rng, (10, 10))
    data, _, _ = both_ways(lambda s: s.levels(values if s.writing else 0 * values, 7))

    def read(wrong):
        stream = MixedStream(wrong)
        found = stream.levels(0 * values, 7)
        stream.finish()
        return found

    for wrong in (data + b"\1", data + b"\0" * 9, data[:-8], b"", b"\xff" * len(data)):
        with pytest.raises(FormatError, match="stream"):
            read(wrong)
    refused = 0
    for at in range(8 * len(data)):
        wrong = bytearray(data)
        wrong[at // 8] ^= 1 << at % 8
        try:
            assert (np.abs(read(bytes(wrong))) < 2**7).all()
        except FormatError:
            refused += 1
    assert refused > 4 * len(data)  # a low bit's other value is another tensor


def test_many_carries_and_zeros():
    """Long runs of certain decisions leave bytes of 255 and 0 for a carry to go through."""
    for count in range(0, 400, 7):
        values = np.zeros((count, 3), int)
        values[-1:] = 30000
        data, _, found = both_ways(lambda s: s.levels(values if s.writing else 0 * values, 15))  # noqa: B023
        assert found.tolist() == values.tolist()
        assert len(data) < 40


def test_shapes_are_seen_as_filters():
    assert [as_filters(shape) for shape in SHAPES] == [
        (1, 1, 1, 1),
        (0, 1, 1, 1),
        (7, 1, 1, 1),
        (3, 0, 2, 2),
        (4, 5, 1, 1),
        (2, 3, 4, 4),
        (3, 2, 9, 3),
        (2, 2, 7, 7),
        (1, 2, 12, 3),
    ]
    assert math.prod(as_filters((1, 2, 2, 2, 3))[:3]) == 24
