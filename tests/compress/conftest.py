"""A small classification task and a network trained on it, shared by the compression tests."""

import numpy as np
import pytest
import torch
from torch import nn

from gossamer.images import InputRecord
from gossamer.train.data import Data, Split
from gossamer.train.fit import fit
from gossamer.train.recipe import Recipe


@pytest.fixture(scope="session")
def small_data() -> Data:
    """Bright-left against bright-right 6×6 pictures with noise."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 160)
    pixels = rng.integers(0, 120, (160, 6, 6, 1))
    for picture, label in zip(pixels, labels, strict=True):
        picture[:, 3 * label : 3 * label + 3] += 100
    record = InputRecord(6, 6, "L", mean=(0.4,), deviation=(0.2,), class_names=("left", "right"))
    pixels = pixels.astype(np.uint8)
    return Data(
        Split(pixels[:100], labels[:100], record), Split(pixels[100:], labels[100:], record)
    )


@pytest.fixture(scope="session")
def small_parent(small_data) -> nn.Module:
    """A trained network of three weighted layers; copy it before changing it."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(1, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
            nn.Conv2d(8, 8, 3, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(32, 2),
        )  # fmt: skip
    return fit(model, small_data, Recipe(epochs=3, batch_size=20, learning_rate=0.05))


@pytest.fixture(scope="session")
def small_example(small_data) -> torch.Tensor:
    return small_data.test.batch(np.arange(4))[0]
