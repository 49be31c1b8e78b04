"""What training minimises: cross-entropy of the logits, and of auxiliary heads where there are."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy

AUXILIARY_WEIGHT = 0.3
"""Share of each auxiliary head in the loss (Szegedy et al. 2014)."""


def classification_loss(
    outputs: Tensor | tuple[Tensor, ...], labels: Tensor, *, label_smoothing: float = 0.0
) -> Tensor:
    """Return the mean cross-entropy over a batch.

    Args:
        outputs: logits (N, classes), or a tuple of them: the network's own first, then those of
            auxiliary heads, which count 0.3 each.
        labels: int64 (N,).
        label_smoothing: 0…1.

    Examples:
        >>> import torch
        >>> logits, labels = torch.zeros(2, 4), torch.tensor([0, 3])
        >>> float(classification_loss((logits, logits), labels)) / float(
        ...     classification_loss(logits, labels))
        1.3...
    """
    heads = outputs if isinstance(outputs, tuple) else (outputs,)
    losses = [cross_entropy(head, labels, label_smoothing=label_smoothing) for head in heads]
    return losses[0] + AUXILIARY_WEIGHT * sum(losses[1:], start=losses[0].new_zeros(()))
