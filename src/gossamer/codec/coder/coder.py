"""The contract of a coder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

LARGEST_ALPHABET = 2**16


@dataclass(frozen=True)
class Coder:
    """Turns symbols into bytes and back.

    The number of symbols and the alphabet are not in the bytes: the reader knows them.

    Args:
        encode: (symbols, alphabet) → bytes, for symbols in 0…alphabet − 1, alphabet ≤ 65,536; no
            symbols give no bytes.
        decode: (bytes, count, alphabet) → (count,) uint16; raises FormatError for bytes that
            `encode` cannot have made. The caller bounds `count`.
        size_bytes: counts → the length of what `encode` would return, for the number of
            occurrences of each symbol of the alphabet, without encoding; by numeral systems, whose
            length depends on the order of symbols too, within 0.1 % and 8 bytes.
        since: the first version of the format that has it.
    """

    encode: Callable[[np.ndarray, int], bytes]
    decode: Callable[[bytes | memoryview, int, int], np.ndarray]
    size_bytes: Callable[[np.ndarray], int]
    since: int = 1
