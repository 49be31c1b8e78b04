"""Packs: images of a batch whose tails run at once, so that weights are read once for all of them.

The tail (`gossamer.graph.tail`) is planned as a network over a picture of which each pixel is an
image; what comes before runs image by image. A pack that is not full has pixels that are nobody's:
pixels do not meet anywhere in a tail, so that whatever stands there disturbs no image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from gossamer.runtime.memory import ALIGNMENT_BYTES
from gossamer.runtime.plan import Plan

PACKS_KEPT = 2
"""Sizes of packs whose plans are kept: each has its own tables of weights."""


@dataclass(frozen=True)
class Packs:
    """How a network's tail runs for many images.

    Args:
        first: name of the tail's first layer.
        sizes: images of a pack, ascending; the smallest that holds all is taken, else the largest.
        least: a smaller batch runs image by image, whatever could be measured.
        planner: images of a pack → plan of the tail, which takes (F, images) and makes (K, images).
        fewest: (plan of one image, plan of the smallest pack) → images from which on that one pays.
    """

    first: str
    sizes: tuple[int, ...]
    least: int
    planner: Callable[[int], Plan]
    fewest: Callable[[Plan, Plan], int]


class PackedTail:
    """The tails of a program's packs: each is planned when a batch first asks for it.

    Not for several callers at once: the program that owns it holds a lock.

    Args:
        packs: how.
    """

    def __init__(self, packs: Packs) -> None:
        self._packs = packs
        self._plans: dict[int, Plan] = {}
        self._rows: dict[int, np.ndarray] = {}
        self._fewest = 0

    def __str__(self) -> str:
        sizes, fewest = self._packs.sizes, self._fewest or self._packs.least
        return (
            f"batches: one image after another; from {self._packs.first} on, "
            f"{fewest} or more at once, up to {sizes[-1]}"
        )

    def cut(self, plan: Plan, images: int) -> Iterator[tuple[int, Plan]]:
        """Cut a batch: yield how many images are in the next pack, and the tail's plan for it.

        Images that are left at the end run by themselves.

        Args:
            plan: of one image.
            images: of the batch.
        """
        sizes = self._packs.sizes
        while images and plan.border:
            size = next((s for s in sizes if s >= images), sizes[-1])
            if size == sizes[0] and not self._pays(plan, images):
                return
            yield min(size, images), self._plan_for(size)
            images -= min(size, images)

    def rows(self, images: int, features: int) -> np.ndarray:
        """Return (images, features) memory for what the tails of a pack read.

        An odd number of cache lines apart, they lie in different sets of the cache: all of them
        are read at once when they are turned into columns.
        """
        if images not in self._rows:
            line = ALIGNMENT_BYTES // 4
            step = line * (-(-features // line) | 1)
            self._rows[images] = np.zeros((images, step), np.float32)[:, :features]
        return self._rows[images]

    def _pays(self, plan: Plan, images: int) -> bool:
        """Whether the smallest pack is faster than so many images by themselves."""
        if images < self._packs.least:
            return False
        if not self._fewest:
            self._fewest = self._packs.fewest(plan, self._plan_for(self._packs.sizes[0]))
        return images >= self._fewest

    def _plan_for(self, size: int) -> Plan:
        plan = self._plans.pop(size, None) or self._packs.planner(size)
        self._plans[size] = plan  # the last used stands last
        while len(self._plans) > PACKS_KEPT:
            del self._plans[next(iter(self._plans))]
        return plan
