"""Buffers and tables between pages that nobody may touch: who does ends the process.

Each buffer touches an inaccessible page with its last byte or, if so asked, with its first one, and
is full of NaN, so that what was never written shows in the results. Each table ends at such a page,
too, and cannot be written. No margin is given: kernels need none.
"""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Sequence

import numpy as np

from gossamer.compile.arena import lifetimes
from gossamer.compile.bind import Binding, Bound
from gossamer.compile.lowering.lower import Lowered
from gossamer.compile.step import Buffer

PAGE = mmap.PAGESIZE
NOTHING, READ = 0, 1


class GuardedBinding(Binding):
    """A binding whose buffers end, and whose tables end, where inaccessible memory begins."""

    at_end = True

    def place(self, lowered: Lowered) -> tuple[dict[Buffer, int], np.ndarray]:
        buffers = list(lifetimes(lowered.steps, [lowered.input], [lowered.output]))
        sizes = [_whole_pages(buffer.size_bytes) for buffer in buffers]
        arena = np.frombuffer(mmap.mmap(-1, sum(sizes) + PAGE * (len(sizes) + 1)), np.uint8)
        protect(arena[:PAGE], NOTHING)
        offsets, start = {}, PAGE
        for buffer, size in zip(buffers, sizes, strict=True):
            protect(arena[start + size :][:PAGE], NOTHING)
            arena[start : start + size].view(np.float32)[:] = np.nan
            offsets[buffer] = start + (size - buffer.size_bytes if self.at_end else 0)
            start += size + PAGE
        return offsets, arena

    def table(self, array: np.ndarray) -> np.ndarray:
        array = np.ascontiguousarray(array)
        size = _whole_pages(array.nbytes)
        memory = np.frombuffer(mmap.mmap(-1, size + 2 * PAGE), np.uint8)
        table = memory[PAGE + size - array.nbytes : PAGE + size]
        table[:] = array.reshape(-1).view(np.uint8)
        for page, rights in ((0, NOTHING), (PAGE + size, NOTHING)):
            protect(memory[page:][:PAGE], rights)
        protect(memory[PAGE : PAGE + size], READ)
        return table

    def gather(self, chosen: Sequence[Bound]) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        steps = np.array([bound.step for bound in chosen], np.int64).reshape(-1, 2)
        return steps, tuple(t for b in chosen for t in (b.arguments, *b.tables.values()))


class GuardedFromBelow(GuardedBinding):
    """The same, but buffers begin where inaccessible memory ends."""

    at_end = False


def protect(pages: np.ndarray, rights: int) -> None:
    """Set what may be done with whole pages of memory."""
    call = ctypes.CDLL(None, use_errno=True).mprotect
    call.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    if call(pages.ctypes.data, pages.nbytes, rights):
        raise OSError(ctypes.get_errno(), "mprotect")


def _whole_pages(size_bytes: int) -> int:
    return -(-size_bytes // PAGE) * PAGE
