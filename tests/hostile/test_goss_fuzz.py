"""Thousands of damaged files: a FormatError or a well-formed graph, in bounded time and memory."""

import random
import time
import tracemalloc

import pytest

from gossamer.codec.limits import Limits
from gossamer.codec.read import decode
from gossamer.codec.write import encode
from gossamer.errors import FormatError
from gossamer.graph import verify
from tests.hostile import mutations
from tests.hostile.mutations import TIGHT

MUTATIONS = 400
BLOCK = 5000


def outcome(data, limits=TIGHT):
    """Return whether a file was refused; otherwise its graph must be well formed and come back."""
    try:
        graph = decode(data, limits)
    except FormatError as error:
        return bool(str(error))
    verify(graph)
    assert decode(encode(graph)) == graph
    return False


@pytest.mark.parametrize(
    ("mutate", "refused"),
    [
        (mutations.flip_bits, 0.99),
        (mutations.cut_and_splice, 0.9),
        (mutations.change_sections, 0.5),
        (mutations.change_header, 0.7),
        (mutations.change_text, 0.7),
        (mutations.swap_sections, 0.5),
        (mutations.change_lengths, 0.5),
    ],
)
def test_damaged_files_are_refused_or_well_formed(mutate, refused):
    rng = random.Random(mutate.__name__)
    outcomes = [outcome(mutate(rng)) for _ in range(MUTATIONS)]
    # Most damage is noticed; that some is not shows that mutations get past the checksums.
    assert sum(outcomes) >= refused * MUTATIONS


def test_damaged_files_take_little_memory():
    rng = random.Random(5)
    files = [rng.choice(mutations.MUTATIONS)(rng) for _ in range(400)]
    tracemalloc.start()
    for data in files:
        outcome(data)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 8 * 2**20


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_a_hundred_thousand_damaged_files(seed):
    """With the usual limits: no crash, two seconds and the stated memory at most, a named error."""
    rng, limits = random.Random(seed), Limits()
    for _ in range(BLOCK):
        data = rng.choice(mutations.MUTATIONS)(rng)
        tracemalloc.start()
        start = time.process_time()
        outcome(data, limits)
        spent_s = time.process_time() - start
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak_bytes <= limits.memory_bytes(len(data))
        assert spent_s < 2
