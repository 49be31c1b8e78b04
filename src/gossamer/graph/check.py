"""Whether two outputs that must be equal are, as far as float32 can tell."""

from __future__ import annotations

import numpy as np

from gossamer.errors import VerificationError

TOLERANCE = 1e-5


def distance(output: np.ndarray, reference: np.ndarray) -> float:
    """Return the largest difference over the largest reference value, infinite for other shapes.

    Where the reference is not finite, the output only has to be so too. Relative to the largest
    value, so that a network with huge activations is not measured by its small outputs.

    Examples:
        >>> distance(np.array([1.0, 100.5]), np.array([1.0, 100.0]))
        0.005
    """
    if output.shape != reference.shape:
        return float("inf")
    finite = np.isfinite(reference)
    if not np.array_equal(finite, np.isfinite(output)):
        return float("inf")
    expected = reference[finite].astype(np.float64)
    difference = np.abs(output[finite].astype(np.float64) - expected).max(initial=0.0)
    if difference == 0:
        return 0.0
    largest = np.abs(expected).max(initial=0.0)
    return float(difference / largest) if largest else float("inf")


def compare(
    where: str,
    reference: np.ndarray,
    output: np.ndarray,
    *,
    tolerance: float = TOLERANCE,
    hint: str | None = None,
) -> None:
    """Raise VerificationError, naming `where`, unless `distance` is at most `tolerance`.

    Examples:
        >>> compare("conv1", np.ones(3), np.zeros(3))
        Traceback (most recent call last):
        gossamer.errors.VerificationError: conv1: values differ (got a relative distance of 1,
        expected at most 1e-05)
    """
    if output.shape != reference.shape:
        raise VerificationError(
            "shapes differ", where=where, got=output.shape, expected=reference.shape, hint=hint
        )
    apart = distance(output, reference)
    if not apart <= tolerance:
        raise VerificationError(
            "values differ",
            where=where,
            got=f"a relative distance of {apart:.3g}",
            expected=f"at most {tolerance:g}",
            hint=hint,
        )
