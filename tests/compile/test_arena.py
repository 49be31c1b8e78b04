from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gossamer.compile.arena import lifetimes, place_buffers
from gossamer.compile.kernels.move import HaloKernel
from gossamer.compile.step import Argument, At, Buffer, Choice, Step, touched_buffers


def step(*buffers: Buffer | At) -> Step:
    arguments: dict[str, Argument] = {str(i): buffer for i, buffer in enumerate(buffers)}
    choice = Choice(HaloKernel(), lambda: arguments)
    return Step("node", (choice,), touched_buffers(arguments))


@given(st.lists(st.integers(1, 500), min_size=1, max_size=12), st.integers(0, 2**31))
def test_buffers_alive_together_do_not_overlap(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    buffers = [Buffer(str(i), size) for i, size in enumerate(sizes)]
    steps = [step(*(b for b in buffers if rng.random() < 0.4)) for _ in range(8)]
    offsets, size_bytes = place_buffers(steps)
    lives = lifetimes(steps)
    for a in offsets:
        assert offsets[a] % 64 == 0
        assert offsets[a] + a.size_bytes <= size_bytes
        for b in offsets:
            together = lives[a][0] <= lives[b][1] and lives[b][0] <= lives[a][1]
            apart = (
                offsets[a] + a.size_bytes <= offsets[b] or offsets[b] + b.size_bytes <= offsets[a]
            )
            assert a is b or apart or not together


def test_a_chain_needs_room_for_two() -> None:
    buffers = [Buffer(str(i), 640) for i in range(6)]
    _, size_bytes = place_buffers([step(a, b) for a, b in pairwise(buffers)])
    assert size_bytes == 2 * 640


def test_given_buffers_are_there_before_the_first_step() -> None:
    given, first, late = Buffer("input", 64), Buffer("first", 64), Buffer("late", 64)
    steps = [step(first), step(At(given, 0)), step(late)]
    offsets, size_bytes = place_buffers(steps, given=[given])
    assert size_bytes == 2 * 64
    assert offsets[given] != offsets[first]


def test_kept_buffers_outlive_the_last_step() -> None:
    kept, early, late = Buffer("output", 64), Buffer("early", 64), Buffer("late", 64)
    steps = [step(early), step(At(kept, 0)), step(late)]
    offsets, size_bytes = place_buffers(steps, kept=[kept])
    assert size_bytes == 2 * 64
    assert offsets[kept] != offsets[late]


def test_what_no_step_touches_has_memory_too() -> None:
    both = Buffer("input and output", 64)
    assert lifetimes([], [both], [both]) == {both: (0, 0)}
    assert lifetimes([step(Buffer("other", 64))], [both], [both])[both] == (0, 1)
