"""What values occur in a network, seen on some images."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import numpy as np

from gossamer.errors import GraphError, ShapeError
from gossamer.graph.graph import Graph
from gossamer.graph.interpret import interpret

_IMAGES_AT_ONCE = 4
_SAMPLES = 2**16


@dataclass
class Seen:
    """What was seen of one value.

    Attributes:
        low: the smallest entry, or zero if all are larger.
        high: the largest entry, or zero if all are smaller.
        samples: some of the entries, evenly taken.
    """

    low: float = 0.0
    high: float = 0.0
    samples: list[np.ndarray] = field(default_factory=list)

    def add(self, value: np.ndarray, samples: int) -> None:
        """Look at the value of some images, keeping about so many of its entries."""
        entries = value.ravel()
        self.low = min(self.low, float(entries.min()))
        self.high = max(self.high, float(entries.max()))
        # An odd step, so that it does not keep to the same columns of a picture.
        self.samples.append(entries[:: max(entries.size // samples, 1) | 1].copy())

    @property
    def sample(self) -> np.ndarray:
        """All samples."""
        return np.concatenate(self.samples)


def watch(graph: Graph, images: np.ndarray, names: Collection[str]) -> dict[str, Seen]:
    """Return value → what was seen of it when the interpreter ran on the images.

    Raises:
        ShapeError: if the network does not take the images, or there are none.
        GraphError: if a value is not finite.
    """
    seen = {name: Seen() for name in names}
    chunks = list(_chunks(graph, images))
    for chunk in chunks:
        values: dict[str, np.ndarray] = {}
        interpret(graph, chunk, values=values)
        for name in names:
            if not np.isfinite(values[name]).all():
                raise GraphError("not finite on the images given", where=f"value {name!r}")
            seen[name].add(values[name], _SAMPLES // len(chunks) + 1)
    return seen


def _chunks(graph: Graph, images: np.ndarray) -> Iterator[np.ndarray]:
    """Yield a few images at a time, as many as the network takes."""
    images = np.asarray(images, np.float32)
    if images.ndim != len(graph.input.example) or not len(images):
        raise ShapeError("not images for this network", got=images.shape, expected=graph.input)
    size = _IMAGES_AT_ONCE if 0 in graph.input.free else graph.input.example[0]
    if 0 not in graph.input.free and len(images) % size:
        raise ShapeError(
            "the network takes whole batches only",
            got=len(images),
            expected=f"a multiple of {size}",
        )
    for start in range(0, len(images), size):
        yield images[start : start + size]
