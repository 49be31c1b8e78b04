"""Label arrays: one label for each element of a traced value, constant axes held once.

A label array has the shape of the value. Along an axis where its entries repeat it has stride 0, so
that the labels of a picture (N, C, H, W) take C numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor


def along(labels: Tensor, shape: Sequence[int], axis: int) -> Tensor:
    """Return the labels (n,) laid along one axis of a shape, constant along the others."""
    outline = [1] * len(shape)
    outline[axis] = len(labels)
    return labels.view(outline).expand(tuple(shape))


def nothing(shape: Sequence[int]) -> Tensor:
    """Return the array of a value without channels."""
    return torch.zeros((), dtype=torch.int64).expand(tuple(shape))


def compact(labels: Tensor) -> Tensor:
    """Return the same array with stride 0 along every axis where its entries repeat."""
    for axis, size in enumerate(labels.shape):
        first = labels.narrow(axis, 0, min(1, size))
        if size > 1 and labels.stride(axis) and bool((labels == first).all()):
            labels = first.expand(labels.shape)
    return labels


def varying(labels: Tensor) -> tuple[int, ...]:
    """Return the axes of a compact array along which labels differ."""
    sizes = zip(labels.shape, labels.stride(), strict=True)
    return tuple(axis for axis, (size, stride) in enumerate(sizes) if size > 1 and stride)


def line(labels: Tensor, axis: int) -> Tensor:
    """Return the labels along one axis, at the first place of all others."""
    for other in range(labels.ndim):
        if other != axis % labels.ndim:
            labels = labels.narrow(other, 0, 1)
    return labels.reshape(-1)


def slabs(labels: Tensor, axis: int) -> Tensor:
    """Return (n, m): for each place along an axis the labels found there, repeats left out."""
    keep = {axis % labels.ndim, *varying(labels)}
    for other in range(labels.ndim):
        if other not in keep:
            labels = labels.narrow(other, 0, 1)
    return labels.movedim(axis, 0).reshape(labels.shape[axis], -1)


def first_along(labels: Tensor, axes: Iterable[int]) -> Tensor:
    """Return the array narrowed to the first place along some axes."""
    for axis in axes:
        labels = labels.narrow(axis, 0, 1)
    return labels
