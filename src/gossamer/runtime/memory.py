"""Memory with a known alignment, for arenas and tables that native code reads."""

from __future__ import annotations

import contextlib
import mmap

import numpy as np

ALIGNMENT_BYTES = 64
HUGE_PAGE_BYTES = 2**21


def aligned_bytes(size_bytes: int) -> np.ndarray:
    """Return a zeroed uint8 array whose first byte is aligned to a cache line.

    Large arrays lie on huge pages where the system has them: the processor then looks up fewer
    addresses, and the caches are used evenly.
    """
    if size_bytes >= HUGE_PAGE_BYTES // 2 and hasattr(mmap, "MADV_HUGEPAGE"):
        return _huge_bytes(size_bytes)
    raw = np.zeros(size_bytes + ALIGNMENT_BYTES, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT_BYTES
    return raw[start : start + size_bytes]


def _huge_bytes(size_bytes: int) -> np.ndarray:
    room = -(-size_bytes // HUGE_PAGE_BYTES) * HUGE_PAGE_BYTES + HUGE_PAGE_BYTES
    # Private: what processes could share gets huge pages on few systems.
    pages = mmap.mmap(-1, room, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    # A system without huge pages refuses; the memory is as good.
    with contextlib.suppress(OSError):
        pages.madvise(mmap.MADV_HUGEPAGE)
    raw = np.frombuffer(pages, np.uint8)
    start = -raw.ctypes.data % HUGE_PAGE_BYTES
    return raw[start : start + size_bytes]


def round_up(size_bytes: int) -> int:
    """Round a size up to whole cache lines.

    Examples:
        >>> round_up(65)
        128
    """
    return -(-size_bytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
