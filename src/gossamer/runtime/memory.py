"""Memory with a known alignment, for arenas and tables that native code reads."""

from __future__ import annotations

import numpy as np

ALIGNMENT_BYTES = 64
MARGIN_BYTES = 64
"""Readable bytes before and after an arena: a shifted read may start inside the first vector."""


def aligned_bytes(size_bytes: int) -> np.ndarray:
    """Return a zeroed uint8 array whose first byte is aligned to a cache line."""
    raw = np.zeros(size_bytes + ALIGNMENT_BYTES, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT_BYTES
    return raw[start : start + size_bytes]


def round_up(size_bytes: int) -> int:
    """Round a size up to whole cache lines.

    Examples:
        >>> round_up(65)
        128
    """
    return -(-size_bytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
