"""Whether a network and a data set fit together, asked before anything is trained or measured."""

from __future__ import annotations

from itertools import chain

import numpy as np
import torch
from torch import Tensor, nn

from gossamer.errors import ShapeError, SpecError
from gossamer.train.data import Data


def check_fits(model: nn.Module, data: Data) -> None:
    """Raise unless a network takes the pictures of a data set and has its classes.

    The network looks at one picture in evaluation mode; modes are restored.

    Args:
        model: from (N, C, H, W) to logits (N, classes).
        data: to be trained or measured on.

    Raises:
        SpecError: if that is no network, or no data.
        ShapeError: if they do not fit together.

    Examples:
        >>> from gossamer.nets.create import create_model
        >>> from gossamer.train.data import load_data
        >>> check_fits(create_model("digits-plain", num_classes=3), load_data("digits"))
        Traceback (most recent call last):
        gossamer.errors.ShapeError: the network has too few classes (got 3, expected 10)
    """
    if not isinstance(model, nn.Module):
        raise SpecError("not a module", got=model, expected="an object of torch.nn.Module")
    if not isinstance(data, Data):
        raise SpecError(
            "not data", got=data, hint="gossamer.train.data.load_data makes it of a name"
        )
    images, _ = data.test.batch(np.arange(1))
    tensor = next(chain(model.parameters(), model.buffers()), images)
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            logits = model(images.to(tensor.device))
    except RuntimeError as error:
        raise ShapeError(
            "the network does not take the pictures of the data",
            got=f"{tuple(images.shape)}: {str(error).partition(chr(10))[0]}",
            hint="choose another data set, or a network for this size and these channels",
        ) from None
    finally:
        for module, mode in modes.items():
            module.training = mode
    if not isinstance(logits, Tensor) or logits.ndim < 2:
        raise ShapeError("the network does not give logits (N, classes)", got=type(logits).__name__)
    if logits.shape[1] < len(data.class_names):
        raise ShapeError(
            "the network has too few classes",
            got=logits.shape[1],
            expected=len(data.class_names),
        )
