"""The sum of a path and its shortcut, without an activation after it."""

from __future__ import annotations

from torch import Tensor, nn


class Skip(nn.Module):
    """Return body(x) + shortcut(x).

    Args:
        body: from (N, C, H, W) to (N, K, H', W').
        shortcut: of the same shapes; the identity unless given.

    Examples:
        >>> import torch
        >>> Skip(nn.Identity())(torch.ones(1, 2, 1, 1)).flatten().tolist()
        [2.0, 2.0]
    """

    def __init__(self, body: nn.Module, shortcut: nn.Module | None = None) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Add the two paths."""
        return self.body(x) + self.shortcut(x)
