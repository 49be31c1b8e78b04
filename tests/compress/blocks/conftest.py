"""Matrices whose rows belong together in groups of some height, and do not stand together."""

from collections.abc import Callable

import numpy as np
import pytest


@pytest.fixture(scope="session")
def planted() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Return a maker of (matrix with its rows shuffled, matrix before)."""

    def make(
        seed: int, height: int = 4, groups: int = 8, width: int = 60, noise: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        mask = np.repeat(rng.random((groups, width)) < 0.2, height, axis=0)
        weights = rng.uniform(0.5, 1.5, mask.shape) * rng.choice([-1, 1], mask.shape)
        true = np.where(mask, weights, noise * rng.normal(size=mask.shape))
        return true[rng.permutation(len(true))], true

    return make
