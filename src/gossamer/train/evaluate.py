"""Accuracy of a network on a split."""

from __future__ import annotations

from itertools import chain

import numpy as np
import torch
from torch import nn

from gossamer.train.data import Split


def accuracy(model: nn.Module, split: Split, *, batch_size: int = 500) -> float:
    """Return the fraction of a split that the model labels correctly, 0…1.

    The model runs in evaluation mode on the device of its weights; its mode is restored.

    Args:
        model: from (N, C, H, W) to logits (N, classes).
        split: what to label.
        batch_size: images at a time.

    Examples:
        >>> from gossamer.nets.create import create_model
        >>> from gossamer.train.data import load_data
        >>> 0 <= accuracy(create_model("digits-plain"), load_data("digits").test) <= 0.5
        True
    """
    tensor = next(chain(model.parameters(), model.buffers()), None)
    device = tensor.device if tensor is not None else torch.device("cpu")
    was_training, correct = model.training, 0
    model.eval()
    try:
        with torch.no_grad():
            for start in range(0, len(split), batch_size):
                images, labels = split.batch(np.arange(start, min(start + batch_size, len(split))))
                correct += int((model(images.to(device)).argmax(1).cpu() == labels).sum())
    finally:
        model.train(was_training)
    return correct / len(split)
