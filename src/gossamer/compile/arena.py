"""Where each buffer lies: buffers that are never alive together may share bytes."""

from __future__ import annotations

from collections.abc import Sequence

from gossamer.compile.step import Buffer, Step
from gossamer.runtime.memory import round_up


def place_buffers(
    steps: Sequence[Step], given: Sequence[Buffer] = (), kept: Sequence[Buffer] = ()
) -> tuple[dict[Buffer, int], int]:
    """Return (buffer → offset in bytes, size of the arena in bytes).

    First fit, largest first, against the buffers whose lifetimes overlap. A buffer lives from the
    first step that touches it to the last; those that are `given` (the input) from before the first
    step, and those that are `kept` (the output) until after the last.
    """
    lives = lifetimes(steps, given, kept)
    offsets: dict[Buffer, int] = {}
    for buffer in sorted(lives, key=lambda b: (-b.size_bytes, lives[b])):
        first, last = lives[buffer]
        taken = sorted(
            (offsets[other], offsets[other] + round_up(other.size_bytes))
            for other in offsets
            if lives[other][0] <= last and first <= lives[other][1]
        )
        offsets[buffer] = _first_gap(taken, round_up(buffer.size_bytes))
    size = max((offset + round_up(b.size_bytes) for b, offset in offsets.items()), default=0)
    return offsets, size


def lifetimes(
    steps: Sequence[Step], given: Sequence[Buffer] = (), kept: Sequence[Buffer] = ()
) -> dict[Buffer, tuple[int, int]]:
    """Return buffer → (first step, last step); what is kept is alive at the step after the last."""
    lives: dict[Buffer, tuple[int, int]] = dict.fromkeys(given, (0, 0))
    for index, step in enumerate(steps):
        for buffer in step.buffers:
            first, _ = lives.get(buffer, (index, index))
            lives[buffer] = (first, index)
    for buffer in kept:
        first, _ = lives.get(buffer, (0, 0))
        lives[buffer] = (first, len(steps))
    return lives


def _first_gap(taken: list[tuple[int, int]], size: int) -> int:
    """Return the lowest offset where `size` bytes fit between sorted (begin, end) pieces."""
    position = 0
    for begin, end in taken:
        if begin - position >= size:
            break
        position = max(position, end)
    return position
