"""Penalties on activations: what each neuron pays for not being zero, whatever its width is.

Each takes activations z (N, …) and gives the mean over images of the mean over the M neurons of an
image, so that one strength does for layers of all sizes (a sum would grow with M).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Penalty = Callable[[Tensor], Tensor]


def log_penalty(z: Tensor) -> Tensor:
    """Return the mean of log(1 + z²): its slope 2z/(1 + z²) leaves the large alone.

    Source: Olshausen & Field, "Emergence of simple-cell receptive field properties by learning a
    sparse code for natural images", 1996.

    Examples:
        >>> round(float(log_penalty(torch.tensor([[1.0, 0.0]]))), 4)  # log(2) / 2
        0.3466
    """
    return torch.log1p(z.square()).mean()


def log_of_square_penalty(z: Tensor) -> Tensor:
    """Return the mean of log((1 + |z|)²), whose slope 2/(1 + |z|) is largest at zero.

    One reading of log(1 + z)² as it stands in print; with |z|, for it has a pole at −1.
    """
    return 2 * torch.log1p(z.abs()).mean()


def square_of_log_penalty(z: Tensor) -> Tensor:
    """Return the mean of (log(1 + |z|))², flat at zero; the other reading."""
    return torch.log1p(z.abs()).square().mean()


def l1_penalty(z: Tensor) -> Tensor:
    """Return the mean of |z|."""
    return z.abs().mean()


def hoyer_square_penalty(z: Tensor) -> Tensor:
    """Return the mean over images of (Σ|z|)²/(M·Σz²), 1/M…1; 0 for an image without activity.

    It does not change with the activations' scale. Source: Kurtz et al., "Inducing and Exploiting
    Activation Sparsity for Fast Neural Network Inference", 2020.

    Examples:
        >>> float(hoyer_square_penalty(torch.tensor([[2.0, 2.0, 0.0, 0.0]])))
        0.5
    """
    z = z.flatten(1)
    shares = z.abs().sum(1).square() / z.square().sum(1).clamp(min=1e-12)
    return shares.mean() / z.shape[1]


PENALTIES: Mapping[str, Penalty] = {
    "log": log_penalty,
    "log-of-square": log_of_square_penalty,
    "square-of-log": square_of_log_penalty,
    "l1": l1_penalty,
    "hoyer-square": hoyer_square_penalty,
}
"""By the names that the pass `penalise-activations` takes."""


def treves_rolls(z: Tensor) -> float:
    """Return (Σ|z|/n)²/(Σz²/n), 0…1: the share of neurons that are active, weighed by how much.

    Source: Treves & Rolls 1991.

    Examples:
        >>> treves_rolls(torch.tensor([3.0, 3.0, 0.0, 0.0]))
        0.5
    """
    return float(z.abs().mean().square() / z.square().mean().clamp(min=1e-30))
