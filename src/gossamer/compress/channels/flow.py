"""What the walk over a traced program collects: labels, ties, and what must follow a cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx

from gossamer.compress.channels.arrays import along, nothing, slabs, varying
from gossamer.compress.channels.ties import Ties
from gossamer.graph.from_torch.traced_call import TracedCall

_MOST_CHANNELS = 2**16

Pairs = tuple[tuple[np.ndarray, np.ndarray], ...]


@dataclass(frozen=True)
class Weights:
    """A parameter or buffer, or what elementwise operators make of it: labels axis by axis.

    Args:
        name: of the parameter in the model's state.
        axes: one vector of labels for each axis.
    """

    name: str
    axes: tuple[Tensor, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the tensor."""
        return tuple(len(labels) for labels in self.axes)


@dataclass(frozen=True)
class LayerUse:
    """One call of a convolution or linear layer.

    Args:
        weight: name of its weight.
        inputs: labels of the input channels (C,).
        rows: labels of the output channels (K,).
        columns: labels of the weight's input axis (C/G,).
        positions: places of one image at which the weight is applied; 0 for a call that is made in
            training only.
        convolution: whether it is one; a linear layer on a picture (N, H, W, F) is a 1×1 one.
    """

    weight: str
    inputs: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    positions: int
    convolution: bool


@dataclass(frozen=True)
class SizeUse:
    """Numbers in a call that count channels, and might come from an attribute of a module.

    Args:
        module: path of the module that makes the call.
        sizes: the numbers.
        counted: for each of them the labels (n, m) that it counts: n places, each of which goes
            when all its m labels go.
    """

    module: str
    sizes: tuple[int, ...]
    counted: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class IndexUse:
    """A buffer that lists channels by number.

    Args:
        buffer: its name.
        source: labels (n, m) of the places that the numbers point at.
    """

    buffer: str
    source: np.ndarray


@dataclass(frozen=True)
class Choice:
    """Ways to remove channels of which one must be taken: ties for each.

    Args:
        labels: all that take part.
        options: the preferred one first among equally free ones.
    """

    labels: np.ndarray
    options: tuple[Pairs, ...]


@dataclass
class Flow:
    """The state of a walk; several traces of one model share the labels of its tensors.

    Args:
        shapes: name → shape of every floating-point parameter and buffer.
        orders: labels (n,) that can go from the last one backwards only.
    """

    shapes: Mapping[str, tuple[int, ...]]
    ties: Ties = field(default_factory=Ties)
    tensors: dict[str, Weights] = field(default_factory=dict)
    frozen: list[tuple[np.ndarray, str]] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)
    orders: list[np.ndarray] = field(default_factory=list)
    layers: list[LayerUse] = field(default_factory=list)
    sizes: list[SizeUse] = field(default_factory=list)
    indices: list[IndexUse] = field(default_factory=list)
    values: dict[fx.Node, Any] = field(default_factory=dict)
    constants: dict[fx.Node, tuple[str | None, Tensor]] = field(default_factory=dict)

    def tensor(self, name: str) -> Weights:
        """Return the labels of a parameter or buffer, new ones at first."""
        if name not in self.tensors:
            self.tensors[name] = Weights(name, tuple(map(self._axis, self.shapes[name])))
        return self.tensors[name]

    def _axis(self, size: int) -> Tensor:
        """Return labels for an axis; whole weight matrices in one axis are no channels."""
        if size > _MOST_CHANNELS:
            return nothing((size,))
        return torch.from_numpy(self.ties.fresh(size))

    def freeze(self, labels: Tensor | Weights, reason: str) -> None:
        """Note that channels have to stay."""
        parts = labels.axes if isinstance(labels, Weights) else (labels,)
        for part in parts:
            found = np.unique(distinct(part))
            if (found := found[found > 0]).size:
                self.frozen.append((found, reason))

    def tie(self, first: Tensor, second: Tensor, reason: str) -> None:
        """Tie two arrays, broadcast to one shape; what meets "no channel" has to stay."""
        a, b = (part.reshape(-1).numpy() for part in torch.broadcast_tensors(first, second))
        bare = (a == 0) != (b == 0)
        if bare.any():
            self.freeze(torch.from_numpy((a + b)[bare]), reason)
        both = (a > 0) & (b > 0)
        self.ties.tie(a[both], b[both])

    def elements(self, value: Any, reason: str) -> Tensor:
        """Return a value's label array; a tensor with two long axes has to stay."""
        if not isinstance(value, Weights):
            return value
        long = [axis for axis, size in enumerate(value.shape) if size > 1]
        if len(long) == 1:
            return along(value.axes[long[0]], value.shape, long[0])
        self.freeze(value, reason)
        return nothing(value.shape)

    def rectangular(self, labels: Tensor) -> Tensor:
        """Note that what is removed from a value must leave a box, and return the value.

        Where labels differ along several axes, whole slabs along one of them can go.
        """
        axes = varying(labels)
        if len(axes) > 1:
            parts = [slabs(labels, axis).numpy() for axis in reversed(axes)]
            options = tuple(((np.broadcast_to(p[:, :1], p.shape), p),) for p in parts)
            self.choices.append(Choice(parts[0].ravel(), options))
        return labels

    def count(self, module: str, sizes: Sequence[int], counted: Sequence[Tensor]) -> None:
        """Note numbers that count channels."""
        self.sizes.append(SizeUse(module, tuple(sizes), tuple(c.numpy() for c in counted)))

    def index(self, buffer: str, source: Tensor) -> None:
        """Note a buffer of channel numbers."""
        self.indices.append(IndexUse(buffer, source.numpy()))


def place(call: TracedCall) -> str:
    """Return the words for an operator in messages."""
    return f"{call.node.target} in {call.place}"


def distinct(labels: Tensor) -> np.ndarray:
    """Return the entries of an array without what stride 0 repeats."""
    for axis in range(labels.ndim):
        if labels.stride(axis) == 0 and labels.shape[axis] > 1:
            labels = labels.narrow(axis, 0, 1)
    return labels.reshape(-1).numpy()
