"""Augmentation of 8-bit pixel batches (N, H, W, C), from an explicit generator."""

from __future__ import annotations

import numpy as np


def keep(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change nothing."""
    return pixels


def shift(pixels: np.ndarray, rng: np.random.Generator, reach: int = 1) -> np.ndarray:
    """Move each picture by up to `reach` pixels in both directions; what comes in is black.

    Examples:
        >>> rng = np.random.default_rng(0)
        >>> shift(np.ones((2, 8, 8, 1), np.uint8), rng).shape
        (2, 8, 8, 1)
    """
    n, height, width, _ = pixels.shape
    padded = np.pad(pixels, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    corner = rng.integers(0, 2 * reach + 1, (2, n, 1))
    rows, columns = corner[0] + np.arange(height), corner[1] + np.arange(width)
    return padded[np.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]


def crop_mirror(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Move by up to four pixels and mirror half of the pictures left to right, as for CIFAR."""
    moved = shift(pixels, rng, reach=4)
    mirrored = rng.random(len(pixels)) < 0.5
    moved[mirrored] = moved[mirrored, :, ::-1]
    return moved
