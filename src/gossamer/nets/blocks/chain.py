"""A chain of blocks with a classifier at its end: the form of every plain network."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from torch import nn


def classifier_chain(
    stem: nn.Module, blocks: Iterable[nn.Module], width: int, num_classes: int
) -> nn.Sequential:
    """Return stem → blocks → global average pool → linear layer.

    Args:
        stem: from (N, C, H, W) to the first block's input.
        blocks: in order; the last gives (N, width, H, W).
        width: channels that reach the linear layer.
        num_classes: length of the output.

    Examples:
        >>> import torch
        >>> chain = classifier_chain(nn.Conv2d(1, 4, 3), [nn.ReLU()], 4, 10)
        >>> chain(torch.zeros(2, 1, 8, 8)).shape
        torch.Size([2, 10])
    """
    return nn.Sequential(
        OrderedDict(
            stem=stem,
            blocks=nn.Sequential(*blocks),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            head=nn.Linear(width, num_classes),
        )
    )
