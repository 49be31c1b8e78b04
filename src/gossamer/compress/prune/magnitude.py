"""The magnitude criterion: small weights matter least."""

from __future__ import annotations

from torch import Tensor


def magnitude(weight: Tensor) -> Tensor:
    """Return |w| (Han et al. 2015), of the weight's shape."""
    return weight.detach().abs()
