"""What is known about a network of a family: one record a member."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Network:
    """One member of a family.

    Args:
        name: what `create_model` is given.
        build: takes `num_classes` and `in_channels`, and further options by name.
        input_shape: (C, H, W) that the network was designed for.
        num_classes: classes unless asked otherwise.
        source: the paper or data set that the network comes from.
        params: exact count of learned numbers of the default network, norms and biases included.
        macs: exact count for one image of `input_shape`, as `gossamer.counts` defines it.
        paper: the paper's own printed figures, "" where it prints none.
        smallest: least H = W that the network takes; None: only `input_shape`.

    A network with auxiliary heads returns (logits, auxiliary logits, …) in training mode and the
    logits alone in evaluation mode.
    """

    name: str
    build: Callable[..., nn.Module]
    input_shape: tuple[int, int, int]
    num_classes: int
    source: str
    params: int
    macs: int | None = None
    paper: str = ""
    smallest: int | None = None
