import numpy as np
import pytest

from gossamer.codec.mixing.arithmetic import END, LOW, RANGE, code_evenly
from gossamer.codec.mixing.even import is_noise
from gossamer.codec.mixing.stream import MixedStream


def bits_of(values):
    return np.asarray(values, np.float32).view(np.uint32)


@pytest.mark.parametrize("count", [1, 10, 1000, 5000])
def test_mantissas_of_random_floats_are_noise(rng, count):
    assert is_noise(bits_of(rng.standard_normal(count)))


@pytest.mark.parametrize(
    "values",
    [[0.5], [0.1] * 30, 2.0 ** np.arange(40), np.float16(1 / np.arange(3, 50)), [0.1, 0.2] * 20],
    ids=["half", "one", "powers", "half precision", "two"],
)
def test_round_and_repeated_values_are_not(values):
    assert not is_noise(bits_of(values))


def test_noise_takes_no_more_bytes_than_it_has_bits(rng):
    values = rng.standard_normal(20_000).astype(np.float32)
    # A normal distribution's entropy, in steps of the last bits of such floats.
    last_bits = np.mean(np.floor(np.log2(np.abs(values)))) - 23
    entropy_bits = np.log2(2 * np.pi * np.e) / 2 - last_bits
    stream = MixedStream()
    stream.floats(values)
    found_bits = 8 * len(stream.finish()) / len(values)
    assert 0.999 * entropy_bits < found_bits < 1.005 * entropy_bits, (found_bits, entropy_bits)


@pytest.mark.parametrize("count", [1, 4096, 4097, 70_000])
def test_lists_of_all_lengths_come_back(rng, count):
    values = rng.standard_normal(count).astype(np.float32)
    values[::7] = np.round(values[::7], 1)
    writer = MixedStream()
    writer.floats(values)
    data = writer.finish()
    reader = MixedStream(data)
    assert reader.floats(np.zeros(count, np.float32)).tobytes() == values.tobytes()
    assert reader.finish() == data


@pytest.mark.parametrize("bits", [1, 10, 16])
def test_what_lies_above_the_highest_number_is_kept_inside(bits):
    """The interval is cut into equal parts; nobody writes into what is left over."""
    data, state = [255] * 16, [0] * 16
    state[RANGE], state[LOW], state[END] = 2**32 - 1, 2**32 - 2, 8
    assert code_evenly(data, state, bits, 0) == 2**bits - 1
    assert 0 <= state[LOW] < state[RANGE]
