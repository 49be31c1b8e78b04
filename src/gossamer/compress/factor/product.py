"""The matrix that a chain of group convolutions multiplies to, and a fit of all factors at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, optim

from gossamer.compress.factor.stage import Stages

_STEPS = 40


def product(stages: Stages, weights: Sequence[Tensor]) -> Tensor:
    """Return the composite kernel (K, F) of a window followed by 1×1 convolutions and shuffles.

    Args:
        stages: the first may have any window, and groups like the others.
        weights: of each stage, in any shape of as many entries, K first.

    Returns:
        What multiplies the C·R·S numbers that the window sees.

    Examples:
        >>> from gossamer.compress.factor.stage import Stage
        >>> product((Stage(2, 2, groups=2, shuffle=2), Stage(2, 1)), [torch.eye(2).diagonal(),
        ...         torch.tensor([[3.0, 4.0]])]).tolist()
        [[3.0, 4.0]]
    """
    first, *others = stages
    blocks = weights[0].reshape(first.groups, first.out_channels // first.groups, -1)
    made = _shuffled(torch.block_diag(*blocks), first.shuffle)
    for stage, weight in zip(others, weights[1:], strict=True):
        grouped = made.unflatten(0, (stage.groups, -1))
        own = weight.reshape(stage.groups, stage.out_channels // stage.groups, -1)
        made = _shuffled((own @ grouped).flatten(0, 1), stage.shuffle)
    return made


def _shuffled(rows: Tensor, groups: int) -> Tensor:
    return rows.unflatten(0, (groups, -1)).transpose(0, 1).flatten(0, 1)


def output_loss(matrix: Tensor, wanted: Tensor, moment: Tensor) -> Tensor:
    """Return mean ‖(A − W) x‖² as a share of mean ‖W x‖².

    Args:
        matrix: A (K, F).
        wanted: W (K, F).
        moment: mean x xᵀ (F, F).
    """
    rest = matrix - wanted
    return (rest @ moment * rest).sum() / (wanted @ moment * wanted).sum()


def fit_product(
    stages: Stages, weights: Sequence[Tensor], wanted: Tensor, moment: Tensor
) -> list[Tensor]:
    """Return weights of all factors that bring their product's outputs near those wanted.

    A few steps of L-BFGS on `output_loss` from the weights given; never worse than those.
    """
    factors = [
        weight.detach().clone(memory_format=torch.contiguous_format).requires_grad_()
        for weight in weights
    ]
    best = optim.LBFGS(factors, max_iter=_STEPS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        best.zero_grad()
        loss = output_loss(product(stages, factors), wanted, moment)
        loss.backward()
        return loss

    with torch.enable_grad():
        before = best.step(closure)  # type: ignore[arg-type]
    with torch.no_grad():
        after = output_loss(product(stages, factors), wanted, moment)
    return [own.detach() for own in (factors if after < before else weights)]
