"""Dimension reduction that keeps neighbours together and others apart."""

from __future__ import annotations

import numpy as np

from gossamer.errors import DataError, ShapeError
from gossamer.sparsecoding.arrays import as_array, as_number


def drlim(
    weight: np.ndarray, differences: np.ndarray, apart: np.ndarray, margin: float = 1.0
) -> tuple[float, np.ndarray]:
    """Return the loss of an embedding y ↦ Wy on pairs of points, and its gradient.

    A pair with the difference δ = yᵢ − yⱼ adds ½‖Wδ‖² if it is to be close, and max(0, β − ‖Wδ‖²)
    if it is to be apart. Only WᵀW matters: the loss is the same for QW with any orthogonal Q. Pairs
    to be close alone draw W to 0; pairs to be apart alone push until all are β away, but not from
    W = 0, where the gradient vanishes.

    Source: Hadsell, Chopra & LeCun, "Dimensionality reduction by learning an invariant mapping",
    2006, with the margin on the squared distance, as for deep sparse coding (He et al.,
    "Unsupervised feature learning by deep sparse coding", 2014). Hadsell et al. have
    ½max(0, m − ‖Wδ‖)², whose slope ends in 0.

    Args:
        weight: W (p, K).
        differences: δ (P, K), one pair a row.
        apart: (P,) bool: True for pairs to be apart, False for neighbours.
        margin: β ≥ 0, a squared distance.

    Returns:
        The sum over pairs, and its gradient (p, K); of a pair at exactly the margin, 0.

    Raises:
        ShapeError: the arrays do not fit each other.
        DataError: an entry is not finite, or `apart` is not boolean.
        SpecError: the margin is not a finite number ≥ 0.

    Examples:
        >>> pairs = np.array([[1.0, 0.0], [0.0, 0.5]])
        >>> loss, gradient = drlim(np.eye(2), pairs, np.array([False, True]))
        >>> loss, gradient.tolist()
        (1.25, [[1.0, 0.0], [0.0, -0.5]])
    """
    weight = as_array(weight, "weight", ("p", "K"))
    differences = as_array(differences, "differences", ("P", weight.shape[1]))
    apart, margin = _as_labels(apart, len(differences)), as_number(margin, "margin")
    embedded = differences @ weight.T
    distances = (embedded**2).sum(1)
    losses = np.where(apart, np.maximum(0.0, margin - distances), 0.5 * distances)
    slopes = np.where(apart, np.where(distances < margin, -2.0, 0.0), 1.0)
    return float(losses.sum()), (slopes[:, None] * embedded).T @ differences


def _as_labels(apart: np.ndarray, pairs: int) -> np.ndarray:
    labels = np.asarray(apart)
    if labels.shape != (pairs,):
        raise ShapeError("wrong shape", where="apart", got=labels.shape, expected=(pairs,))
    if labels.dtype != bool:
        raise DataError("not boolean", where="apart", got=labels.dtype, expected="bool")
    return labels
