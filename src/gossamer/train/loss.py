"""What training minimises: cross-entropy of the logits, and the distance from a teacher's."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div, log_softmax

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


def distillation_loss(
    outputs: Tensor | tuple[Tensor, ...], teacher: Tensor, temperature: float
) -> Tensor:
    """Return T²·KL(p ‖ q), mean over a batch, of softmax(logits / T): p the teacher's, q ours.

    T² keeps the gradient about as large at every temperature. Auxiliary heads are not taught.

    Source: Hinton, Vinyals & Dean, "Distilling the Knowledge in a Neural Network", 2015.

    Args:
        outputs: logits (N, classes), or a tuple with them first.
        teacher: logits (N, classes).
        temperature: T > 0.

    Examples:
        >>> import torch
        >>> logits = torch.tensor([[1.0, 2.0, 3.0]])
        >>> float(distillation_loss(logits, logits + 5, temperature=2.0))  # the same answers
        0.0
    """
    own = outputs[0] if isinstance(outputs, tuple) else outputs
    ours, theirs = (log_softmax(logits / temperature, 1) for logits in (own, teacher))
    return temperature**2 * kl_div(ours, theirs, reduction="batchmean", log_target=True)
