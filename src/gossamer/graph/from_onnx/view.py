"""A value of the graph as the ONNX file sees it: other axes, other channels, zeros around it.

Reshapes, transpositions and paddings of the file make no node by themselves. They are remembered
here until an operator asks for a plain value, by when most of them have cancelled (the transposes
of a network in N H W C) or have become something simple (a channel shuffle, a flattening).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import prod

import numpy as np

from gossamer.graph.ops import Padding, Quantise, Shape

NO_PADDING: Padding = (0, 0, 0, 0)


@dataclass(frozen=True, eq=False)
class View:
    """How an array of the file lies in a value (N, C, H, W) or (N, C) of the graph.

    Args:
        source: name of the value.
        axes: a letter for each axis of the array: N first, H and W at most once, C for each axis of
            channels, 1 for an axis of one entry (but for N).
        order: which channel of the source stands where, with an axis for each C.
        padding: zeros around the picture, not yet in the source.
        label: what to call a node that makes the array itself.
        levels: by which the file holds the array as integers, None if as real numbers.
        mark: what the array says about the value, where it is not the value itself, and as a text
            for messages; None if it is.
    """

    source: str
    axes: str
    order: np.ndarray
    padding: Padding = NO_PADDING
    label: str = ""
    levels: Quantise | None = None
    mark: object = None

    def sizes(self, shape: Shape) -> Shape:
        """Return the shape of the array, given that of the source."""
        top, left, bottom, right = self.padding
        known = {"N": shape[0], "1": 1}
        if len(shape) == 4:
            known |= {"H": shape[2] + top + bottom, "W": shape[3] + left + right}
        channels = iter(self.order.shape)
        return tuple(next(channels) if axis == "C" else known[axis] for axis in self.axes)

    def is_alike(self, other: View) -> bool:
        """Whether both lie in their sources in the same way."""
        return self.axes == other.axes and np.array_equal(self.order, other.order)


def plain(source: str, shape: Shape) -> View:
    """Return a value of the graph as it is.

    Examples:
        >>> plain("x", (1, 3, 8, 1)).axes
        'NCH1'
    """
    axes = "N" + "".join(
        "1" if size == 1 else letter for letter, size in zip("CHW", shape[1:], strict=False)
    )
    return View(source, axes, np.arange(shape[1]).reshape((-1,) if shape[1] > 1 else ()))


def is_plain(view: View, rank: int) -> bool:
    """Whether the axes are those of (N, C, H, W) or (N, C); channels may be in another order."""
    return len(view.axes) == rank and all(
        axis in (letter, "1") for axis, letter in zip(view.axes, "NCHW", strict=False)
    )


def transposed(view: View, axes: Sequence[int]) -> View:
    """Return the view with its axes in another order; the first stays.

    Examples:
        >>> transposed(plain("x", (1, 3, 8, 8)), (0, 2, 3, 1)).axes
        'NHWC'
    """
    channel_axes = [axis for axis, letter in enumerate(view.axes) if letter == "C"]
    order = [channel_axes.index(axis) for axis in axes if axis in channel_axes]
    letters = "".join(view.axes[axis] for axis in axes)
    return replace(view, axes=letters, order=view.order.transpose(order))


def regrouped(view: View, sizes: Shape, target: Shape) -> View | None:
    """Return the view reshaped, None if that would mix the picture's axes with others.

    Args:
        view: of an array of `sizes`.
        sizes: its shape.
        target: the new shape, of as many entries and the same N.

    Examples:
        >>> regrouped(plain("x", (1, 6, 8, 8)), (1, 6, 8, 8), (1, 2, 3, 8, 8)).axes
        'NCCHW'
    """
    parts, letters, inner = iter(target[1:]), ["N"], []
    for letter, size in _runs(view, sizes):
        found = 1
        while found < size:
            part = next(parts)
            found *= part
            letters.append("1" if part == 1 else letter)
            if letter == "C" and part != 1:
                inner.append(part)
            elif letter != "C" and part not in (1, size):
                return None
        if found != size:
            return None
    letters += ["1" for _ in parts]
    return replace(view, axes="".join(letters), order=view.order.reshape(inner))


def _runs(view: View, sizes: Shape) -> list[tuple[str, int]]:
    """Return (letter, entries) of the axes after N, axes of channels side by side as one."""
    axes = [pair for pair in zip(view.axes[1:], sizes[1:], strict=True) if pair[0] != "1"]
    return [
        (letter, prod(size for _, size in group))
        for letter, group in groupby(axes, key=lambda pair: pair[0])
    ]


def features(view: View, picture: Shape) -> np.ndarray:
    """Return which feature of the flattened source stands where, in the order of the array's axes.

    Examples:
        >>> features(transposed(plain("x", (1, 2, 1, 2)), (0, 2, 3, 1)), (1, 2)).tolist()
        [[0, 2], [1, 3]]
    """
    height, width = picture
    channels = view.order.ndim
    index = view.order[..., None, None] * (height * width)
    index = index + np.arange(height * width).reshape(height, width)
    axes, seen = [], 0
    for letter in view.axes[1:]:
        if letter == "C":
            axes.append(seen)
            seen += 1
        elif letter != "1":
            axes.append(channels + "HW".index(letter))
    sizes = [index.shape[axis] for axis in axes]
    rest = [axis for axis in range(index.ndim) if axis not in axes]
    return index.transpose(axes + rest).reshape(sizes)


def chosen(view: View, axis: int, positions: Sequence[int]) -> tuple[np.ndarray, View]:
    """Return which channels of the source a choice along an axis of channels takes, and its view.

    Args:
        view: whose axis `axis` is one of channels.
        axis: by number.
        positions: along it; −1 for zeros.
    """
    along = view.axes[:axis].count("C")
    zeros = np.full_like(view.order.take([0], axis=along), -1)
    taken = np.concatenate([view.order, zeros], axis=along).take(positions, axis=along)
    order, axes = np.arange(taken.size).reshape(taken.shape), view.axes
    if len(positions) == 1:
        order, axes = order.squeeze(along), f"{axes[:axis]}1{axes[axis + 1 :]}"
    return taken.ravel(), replace(view, axes=axes, order=order)


def with_channel_axis(view: View, axis: int) -> View:
    """Return the view with an axis of one entry seen as the channels, if there are no others."""
    if "C" in view.axes or view.axes[axis] != "1":
        return view
    axes = f"{view.axes[:axis]}C{view.axes[axis + 1 :]}"
    return replace(view, axes=axes, order=view.order.reshape(1))
