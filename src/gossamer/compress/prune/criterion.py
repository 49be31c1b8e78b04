"""What a criterion is, and what it may look at.

A criterion gives one score a weight; the lowest are removed first. Selection (`selection`) turns
scores into masks under a granularity and an allocation, and compensation (`curvature.quadratic`)
moves the weights that stay. The three do not know each other, so that every criterion goes with
every granularity, every allocation and every compensation. Methods that update the survivors fit:
removing weights one by one from a quadratic ends in the best weights for the mask they end in,
whatever the order was, so that such a method *is* its order of removal, and an order is a score.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from gossamer.compress.evaluating import evaluating
from gossamer.compress.prune.granularity import Granularity
from gossamer.train.data import Split

Layers = Mapping[str, nn.Conv2d | nn.Linear]


@dataclass(frozen=True, eq=False)
class Evidence:
    """A network and some pictures for it.

    Args:
        model: (N, C, H, W) to logits (N, classes).
        split: where the pictures are drawn from, without augmentation; None without.
        images: how many, at most.
        batch_size: pictures at a time.
        seed: of the draw, and of whatever a criterion draws.
    """

    model: nn.Module
    split: Split | None = None
    images: int = 1024
    batch_size: int = 64
    seed: int = 0

    def batches(self, size: int | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield images (N, C, H, W) and labels (N,) on the model's device; the same ones each time.

        Args:
            size: pictures at a time, instead of `batch_size`.
        """
        assert self.split is not None, "check() has asked for data"
        size = size or self.batch_size
        order = np.random.default_rng(self.seed).permutation(len(self.split))[: self.images]
        device = next(self.model.parameters()).device
        for start in range(0, len(order), size):
            images, labels = self.split.batch(order[start : start + size])
            yield images.to(device), labels.to(device)

    @property
    def count(self) -> int:
        """Pictures that `batches` yields in all."""
        assert self.split is not None
        return min(self.images, len(self.split))

    def evaluating(self) -> AbstractContextManager[nn.Module]:
        """Put the model into evaluation mode and every module back into its own afterwards."""
        return evaluating(self.model)

    def losses(self, size: int | None = None) -> Iterator[tuple[Tensor, int]]:
        """Yield the mean cross-entropy of each batch, with its graph, and the batch's size."""
        with self.evaluating() as model:
            for images, labels in self.batches(size):
                with torch.enable_grad():
                    loss = cross_entropy(model(images), labels)
                yield loss, len(labels)


class Criterion(Protocol):
    """A frozen dataclass whose options all have defaults."""

    needs_data: ClassVar[bool]

    def scores(
        self, layers: Layers, evidence: Evidence, granularity: Granularity
    ) -> dict[str, Tensor]:
        """Return a score for each weight, of the weight's shape: the lowest are removed first.

        A block's score is the mean over its weights. Only criteria that remove one after the other
        look at the granularity.
        """
        ...
