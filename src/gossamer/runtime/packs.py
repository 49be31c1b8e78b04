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


@dataclass(frozen=True)
class Packs:
    """How a network's tail runs for many images.

    Args:
        first: name of the tail's first layer.
        sizes: images of a pack, ascending.
        planner: images of a pack → plan of the tail, which takes (F, images) and makes (K, images).
        fewest: (plan of one image, plan of a pack) → images from which on the pack pays.
    """

    first: str
    sizes: tuple[int, ...]
    planner: Callable[[int], Plan]
    fewest: Callable[[Plan, Plan], int]


class PackedTail:
    """The tails of a program's packs: each size is planned when a batch first asks for it.

    Not for several callers at once: the program that owns it holds a lock.

    Args:
        packs: how.
    """

    def __init__(self, packs: Packs) -> None:
        self._packs = packs
        self._plans: dict[int, Plan] = {}
        self._rows: dict[int, np.ndarray] = {}
        self._fewest: dict[int, int] = {}

    def __str__(self) -> str:
        first, most = self._packs.first, self._packs.sizes[-1]
        known = sorted((size, few) for size, few in self._fewest.items() if few <= size)
        text = f"batches: one image after another; from {first} on, up to {most} at once"
        packs = [f"packs of {size} pay from {few} images on" for size, few in known]
        return f"{text} ({', '.join(packs)})" if packs else text

    def cut(self, plan: Plan, images: int) -> Iterator[tuple[int, Plan]]:
        """Cut a batch: yield how many images are in the next pack, and the tail's plan for it.

        The smallest pack that holds all is taken if that pays, else a smaller one, which is full.
        Images that are left at the end run by themselves.

        Args:
            plan: of one image.
            images: of the batch.
        """
        while images > 1 and plan.border:
            size = next((s for s in self._near(images) if self._pays(plan, s, images)), None)
            if size is None:
                return
            yield min(size, images), self._plan_for(size)
            images -= min(size, images)

    def _near(self, images: int) -> list[int]:
        """Return the sizes of packs for so many images: the smallest that holds all, then less."""
        sizes = self._packs.sizes
        return [size for below, size in zip((0, *sizes), sizes, strict=False) if below < images][
            ::-1
        ]

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

    def _pays(self, plan: Plan, size: int, images: int) -> bool:
        """Whether a pack is not slower than so many images, or all that it holds, by themselves."""
        if size not in self._fewest:
            self._fewest[size] = self._packs.fewest(plan, self._plan_for(size))
        return min(size, images) >= self._fewest[size]

    def _plan_for(self, size: int) -> Plan:
        if size not in self._plans:
            self._plans[size] = self._packs.planner(size)
        return self._plans[size]
