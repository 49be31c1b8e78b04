"""Integers whose lowest bits are told by the integers before them: a trellis code.

A state of five bits is kept along a filter. Its lowest bit is the lowest bit of the next level, so
levels are even or odd as the levels before tell, and the file leaves that bit out. What the lowest
two bits of a level are moves the state. Steps are half as wide as those that would take the same
bytes, and an encoder that looks for the best way through the states finds levels nearly as close.

Source: Ungerboeck, "Channel coding with multilevel/phase signals", IEEE Trans. IT 28, 1982: the
parity-check polynomials of 32 states for amplitudes (h⁰ = 45, h¹ = 10, octal), as Marcellin &
Fischer, "Trellis coded quantization of memoryless and Gauss–Markov sources", IEEE Trans. Comm. 38,
1990, used such codes for sources. The lowest bits a and the next bits b of the levels obey
a[n] = a[n−2] + a[n−5] + b[n−3], modulo 2.
"""

from __future__ import annotations

import numpy as np

from gossamer.jit.loop import Int

STATES = 32


def next_state(state: Int, level: Int) -> Int:
    """Return the state behind a level, whose lowest bit is that of the state. The first is 0.

    Examples:
        >>> state, states = 0, []
        >>> for level in (2, 0, 0, 1, 4):
        ...     state = next_state(state, level)
        ...     states.append(state)
        >>> states
        [4, 2, 1, 18, 9]
    """
    return state >> 1 ^ 18 * (level & 1) ^ 2 * (level & 2)


def is_told(levels: np.ndarray) -> bool:
    """Return whether the lowest bit of each level (K, F) is that of the state in its filter.

    Examples:
        >>> is_told(np.array([[2, 0, 0, 1, 4], [0, 4, -4, 8, 0]])), is_told(np.array([[1, 0]]))
        (True, False)
    """
    states = np.zeros(len(levels), np.int64)
    for column in levels.T.astype(np.int64):
        if ((states ^ column) & 1).any():
            return False
        states = next_state(states, column)  # type: ignore[assignment, arg-type]
    return True
