"""How sparsity rises during gradual pruning."""

from __future__ import annotations


def cubic_sparsity(initial: float, final: float, done: float) -> float:
    """Return s_f + (s_i − s_f)·(1 − t/n)³: fast while much is redundant, slow near the end.

    Source: Zhu & Gupta, "To prune, or not to prune", 2017, eq. 1.

    Args:
        initial: s_i, 0…1.
        final: s_f, 0…1.
        done: t/n; taken as 0 below 0 and as 1 above 1.

    Examples:
        >>> [round(cubic_sparsity(0, 0.9, t / 10), 4) for t in (0, 1, 5, 10)]
        [0.0, 0.2439, 0.7875, 0.9]
    """
    left = 1 - min(max(done, 0.0), 1.0)
    return final + (initial - final) * left**3
