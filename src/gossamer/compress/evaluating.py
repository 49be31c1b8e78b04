"""Looking at a network while it is used, not trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluating(model: nn.Module) -> Iterator[nn.Module]:
    """Put a model into evaluation mode, and every module back into its own afterwards.

    Examples:
        >>> model = nn.Sequential(nn.Dropout().eval(), nn.Dropout())
        >>> with evaluating(model):
        ...     model[1].training
        False
        >>> model.training, model[0].training, model[1].training
        (True, False, True)
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield model
    finally:
        for module, mode in modes.items():
            module.training = mode
