"""Top-1 accuracy of anything that takes an array and returns scores."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gossamer.errors import DataError

Predict = Callable[[np.ndarray], np.ndarray]


def predict_classes(predict: Predict, images: np.ndarray, *, batch: int = 64) -> np.ndarray:
    """Return the class with the highest score of each image.

    Args:
        predict: (n, …) float32 → (n, classes).
        images: (N, …) float32, N ≥ 1.
        batch: images given to `predict` at once; the last batch may be smaller.

    Returns:
        (N,) int64; the first of equal scores wins.

    Examples:
        >>> predict_classes(lambda x: x, np.eye(3, dtype=np.float32)).tolist()
        [0, 1, 2]
    """
    if not len(images):
        raise DataError("there are no images to predict")
    parts = [
        predict(np.ascontiguousarray(images[start : start + batch])).argmax(axis=1)
        for start in range(0, len(images), batch)
    ]
    return np.concatenate(parts).astype(np.int64)


def accuracy(predicted: np.ndarray, labels: np.ndarray) -> float:
    """Return the fraction of predictions that are right.

    Raises:
        DataError: if the lengths differ or are zero.

    Examples:
        >>> accuracy(np.array([1, 2, 3, 3]), np.array([1, 2, 3, 4]))
        0.75
    """
    if predicted.shape != labels.shape or not labels.size:
        raise DataError("one label a prediction", got=labels.shape, expected=predicted.shape)
    return float(np.mean(predicted == labels))
