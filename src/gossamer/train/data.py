"""Data sets in memory: 8-bit pixels and labels, with the record that says how to normalise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from gossamer.errors import DataError, SpecError
from gossamer.images import InputRecord
from gossamer.train.registry import DATASETS

Augment = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Split(Dataset):
    """One split of a data set; also a torch `Dataset` of (image (C, H, W), label).

    Args:
        pixels: uint8 (N, H, W, C), N ≥ 1.
        labels: int64 (N,), each 0…classes − 1.
        record: size, channels, normalisation and class names.

    Raises:
        DataError: if shapes, types or labels do not agree.

    Examples:
        >>> record = InputRecord(2, 2, "L", mean=(0.0,), deviation=(1.0,), class_names=("a", "b"))
        >>> split = Split(np.zeros((3, 2, 2, 1), np.uint8), np.array([0, 1, 0]), record)
        >>> split.batch(np.array([0, 2]))[0].shape
        torch.Size([2, 1, 2, 2])
    """

    pixels: np.ndarray
    labels: np.ndarray
    record: InputRecord

    def __post_init__(self) -> None:
        shape = (len(self.labels), self.record.height, self.record.width, self.record.channels)
        if self.pixels.dtype != np.uint8 or self.pixels.shape != shape or len(self.labels) == 0:
            raise DataError(
                "wrong pixel array",
                got=(self.pixels.dtype.name, self.pixels.shape),
                expected=("uint8", shape),
            )
        if self.labels.min() < 0 or self.labels.max() >= len(self.record.class_names):
            raise DataError(
                "labels out of range",
                got=(int(self.labels.min()), int(self.labels.max())),
                expected=f"0…{len(self.record.class_names) - 1}",
            )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.batch(np.array([index]))[0][0], int(self.labels[index])

    def batch(self, indices: np.ndarray, augment: Augment | None = None) -> tuple[Tensor, Tensor]:
        """Return normalised images float32 (N, C, H, W) and labels int64 (N,)."""
        pixels = self.pixels[indices]
        images = self.record.normalise(augment(pixels) if augment else pixels)
        return torch.from_numpy(images), torch.from_numpy(self.labels[indices])


@dataclass(frozen=True, eq=False)
class Data:
    """A training and a test split with the same record.

    Args:
        train: what the network learns from.
        test: held out; never used to choose anything inside a pass.
    """

    train: Split
    test: Split

    def __post_init__(self) -> None:
        if self.train.record != self.test.record:
            raise DataError("the two splits have different input records")

    @property
    def record(self) -> InputRecord:
        """How a picture becomes the network's input."""
        return self.train.record

    @property
    def class_names(self) -> tuple[str, ...]:
        """One name a class."""
        return self.record.class_names


def load_data(name: str, **options: Any) -> Data:
    """Load a data set by name.

    Args:
        name: "digits" (option `seed` of the split), "mnist" (`root` with the four IDX files;
            `mnist/` under the folder named by GOSSAMER_DATA unless given) or "folder" (`root`
            with `train/CLASS/*.jpg` and `test/` or `val/`, `size` in pixels).
        **options: of the loader.

    Raises:
        UnknownNameError: if there is no such data set.
        SpecError: if the loader does not have such an option.
        DataError: if something is missing or cannot be read.

    Examples:
        >>> data = load_data("digits")
        >>> len(data.train), len(data.test), len(data.class_names)
        (1437, 360, 10)
    """
    loader = DATASETS[name]
    try:
        signature(loader).bind(**options)
    except TypeError as error:
        known = list(signature(loader).parameters)
        raise SpecError(
            str(error), where=f"data set {name!r}", expected=f"options {known}"
        ) from None
    return loader(**options)


def mean_and_deviation(
    pixels: np.ndarray, scale: float = 1 / 255
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation a channel of uint8 (N, H, W, C) after scaling.

    Rounded to four digits, so that they read well in a file. A channel without variation gets
    deviation 1.

    Examples:
        >>> mean_and_deviation(np.array([0, 255], np.uint8).reshape(1, 1, 2, 1))
        ((0.5,), (0.5,))
    """
    counts = [np.bincount(pixels[..., c].ravel(), minlength=256) for c in range(pixels.shape[3])]
    levels = np.arange(256) * scale
    means = [float(np.average(levels, weights=count)) for count in counts]
    variances = [
        float(np.average((levels - mean) ** 2, weights=count))
        for count, mean in zip(counts, means, strict=True)
    ]
    return (
        tuple(round(mean, 4) for mean in means),
        tuple(round(variance**0.5, 4) or 1.0 for variance in variances),
    )
