"""The price of a bit at which a file has an asked size, or a network an asked accuracy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gossamer.codec.lossy.approximate import Approximation
from gossamer.codec.progress import Progress, silent
from gossamer.codec.write import encode
from gossamer.errors import SpecError
from gossamer.graph import Graph, interpret

_STRIDE = 8.0
_MOST_STRIDES = 8
_FINEST = 1.03
_SIZE_TOLERANCE = 0.01
_FIRST_SHARE = 0.1
_FIRST_IMAGES = 16


@dataclass(frozen=True, eq=False)
class Coded:
    """A graph coded at some price.

    Args:
        graph: to save.
        bit_price: that it was coded at.
        size_bytes: of its whole file.
        accuracy: as measured, if it was.
    """

    graph: Graph
    bit_price: float
    size_bytes: int
    accuracy: float | None = None


def code_to_size(
    approximation: Approximation, size_bytes: int, *, progress: Progress = silent
) -> Coded:
    """Return the graph whose whole file takes at most `size_bytes`, and at best one percent less.

    Args:
        approximation: of the graph.
        size_bytes: of the file.
        progress: of `Approximation.at`, from zero again at each price.

    Raises:
        SpecError: if no file of it is that small, or even the finest is smaller.
    """
    small: list[Coded] = []
    sizes: list[int] = []

    def is_small(price: float) -> bool:
        made = _coded(approximation, price, progress)
        sizes.append(made.size_bytes)
        if made.size_bytes <= size_bytes:
            small.append(made)
        return made.size_bytes <= size_bytes

    def is_near() -> bool:
        return any(made.size_bytes >= (1 - _SIZE_TOLERANCE) * size_bytes for made in small)

    try:
        narrow(is_small, first_price(approximation), done=is_near)
    except SpecError:
        raise SpecError(
            "no file of this network is near that size",
            got=f"{size_bytes:,} bytes",
            expected=f"≤ {max(sizes):,}" if small else f"≥ {min(sizes):,}",
            hint="`gossamer export` keeps the weights as they are" if small else None,
        ) from None
    return max(small, key=lambda made: made.size_bytes)


def code_to_accuracy(
    approximation: Approximation,
    accuracy: float,
    evaluate: Callable[[Graph], float],
    *,
    progress: Progress = silent,
) -> Coded:
    """Return the smallest graph found that has at least some accuracy.

    Accuracy wavers by a few images from price to price; the graph returned has been measured.

    Args:
        approximation: of the graph.
        accuracy: to keep, 0…1, by `evaluate`.
        evaluate: graph → accuracy, on images that are not those of the final test.
        progress: of `Approximation.at`, from zero again at each price.

    Raises:
        SpecError: if the graph itself has not that accuracy, or none that was tried.
    """
    best = evaluate(approximation.graph)
    if not 0 <= accuracy <= best:
        raise SpecError(
            "the network itself has not that accuracy", got=accuracy, expected=f"≤ {best:.4f}"
        )
    enough: list[Coded] = []

    def falls_short(price: float) -> bool:
        made = _coded(approximation, price, progress, evaluate)
        assert made.accuracy is not None
        if made.accuracy >= accuracy:
            enough.append(made)
        return made.accuracy < accuracy

    try:
        narrow(falls_short, first_price(approximation), what=f"accuracy {accuracy:.4f}")
    except SpecError:
        if not enough:
            raise
    return min(enough, key=lambda made: made.size_bytes)


def narrow(
    is_above: Callable[[float], bool],
    start: float,
    *,
    done: Callable[[], bool] = lambda: False,
    what: str = "this",
) -> tuple[float, float]:
    """Return prices, 3 % apart, between which the answer changes from no to yes.

    Args:
        is_above: whether a price is too high; no for low prices, yes for high ones.
        start: the first price tried.
        done: asked after each trial whether that is enough.
        what: is sought, for the message.

    Raises:
        SpecError: if the answer is the same for all prices within 8⁸ of the first.

    Examples:
        >>> low, high = narrow(lambda price: price > 5, 1.0)
        >>> low <= 5 < high < 1.03 * low
        True
    """
    factor = 1 / _STRIDE if is_above(start) else _STRIDE
    low = high = start
    for _ in range(_MOST_STRIDES):
        if done():
            return low, high
        further = (low if factor < 1 else high) * factor
        above = is_above(further)
        low, high = (further, low) if factor < 1 else (high, further)
        if above != (factor < 1):
            break
    else:
        raise SpecError("no price of a bit gives this", got=what)
    while high > _FINEST * low and not done():
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if is_above(middle) else (middle, high)
    return low, high


def first_price(approximation: Approximation) -> float:
    """Return a price to begin with: a tenth of the output's square, shared among the weights."""
    graph = approximation.graph
    output = interpret_some(graph, approximation.images[:_FIRST_IMAGES]).astype(np.float64)
    square = float((output**2).reshape(len(output), -1).sum(axis=1).mean())
    weights = sum(layout.size for layout in graph.weights.values())
    return max(_FIRST_SHARE * square / weights, 1e-20)


def interpret_some(graph: Graph, images: np.ndarray) -> np.ndarray:
    """Return the output for some images, as many at a time as the network takes."""
    if 0 in graph.input.free:
        return interpret(graph, images)
    batch = graph.input.example[0]
    return interpret(graph, np.resize(images, (batch, *images.shape[1:])))


def _coded(
    approximation: Approximation,
    price: float,
    progress: Progress,
    evaluate: Callable[[Graph], float] | None = None,
) -> Coded:
    graph = approximation.at(price, progress)
    accuracy = evaluate(graph) if evaluate else None
    return Coded(graph, price, len(encode(graph, approximation.profile)), accuracy)
