"""Activations that are exactly zero more often: cut off below a threshold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from gossamer.errors import SpecError

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda x: x,
    "relu": torch.relu,
    "relu6": nn.functional.relu6,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "silu": nn.functional.silu,
    "hard_sigmoid": nn.functional.hardsigmoid,
    "hard_swish": nn.functional.hardswish,
    "erf": torch.erf,
    "gelu": nn.functional.gelu,
    "gelu_tanh": partial(nn.functional.gelu, approximate="tanh"),
}
"""What may come before the cut, by the names that the graph has for it."""


class Truncated(nn.Module):
    """Tr[f(x)]: a = f(x) where a > τ, else 0; or, shifted, max(a − τ, 0).

    With f = ReLU and τ ≥ 0 it is FATReLU (Kurtz et al., "Inducing and Exploiting Activation
    Sparsity for Fast Neural Network Inference", 2020; there a = τ stays), and shifted it is
    max(x − τ, 0), a ReLU after another bias. The gradient is f' where something is left
    and zero elsewhere; the jump itself has none. τ is a buffer, not trained.

    Args:
        function: f, a name in FUNCTIONS.
        threshold: τ, one number, or one a channel.
        shifted: whether τ is taken off what stays.

    Raises:
        SpecError: if there is no such function, or τ is not finite.

    Examples:
        >>> x = torch.tensor([[-1.0, 0.5, 2.0]])
        >>> Truncated("relu", 0.5)(x).tolist(), Truncated("relu", 0.5, shifted=True)(x).tolist()
        ([[0.0, 0.0, 2.0]], [[0.0, 0.0, 1.5]])
    """

    threshold: Tensor

    def __init__(
        self,
        function: str = "relu",
        threshold: float | Sequence[float] | Tensor = 0.0,
        *,
        shifted: bool = False,
    ) -> None:
        super().__init__()
        given = torch.as_tensor(threshold, dtype=torch.float32).detach().clone()
        if function not in FUNCTIONS:
            raise SpecError("unknown function", got=function, expected=list(FUNCTIONS))
        if given.ndim > 1 or not torch.isfinite(given).all():
            raise SpecError("bad threshold", got=threshold, expected="one number, or one a channel")
        self.function, self.shifted = function, shifted
        self.register_buffer("threshold", given)

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the same shape, (N, C, H, W) or (N, F)."""
        threshold = self.threshold
        if threshold.ndim:
            threshold = threshold.view(-1, *(1,) * (x.ndim - 2))
        if self.shifted and self.function == "relu":
            return torch.relu(x - threshold)  # which a norm or bias before it can take over
        activated = FUNCTIONS[self.function](x)
        if self.shifted:
            return torch.relu(activated - threshold)
        return torch.where(activated <= threshold, 0.0, activated)  # so that NaN stays

    def options(self) -> dict[str, Any]:
        """Return what the constructor takes, as plain data."""
        threshold = self.threshold.tolist()
        return {"function": self.function, "threshold": threshold, "shifted": self.shifted}

    def extra_repr(self) -> str:
        """Say what is cut off."""
        low, high = float(self.threshold.min()), float(self.threshold.max())
        cut = f"{low:.4g}" if low == high else f"{low:.4g}…{high:.4g}"
        return f"{self.function}, threshold={cut}" + (", shifted" if self.shifted else "")
