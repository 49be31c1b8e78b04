"""Removed ≡ masked: the network without channels computes what it does with them at zero."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy

import torch
from torch import Tensor, nn

from gossamer.compress.channels.cut import Cut, apply_cut, mask
from gossamer.errors import VerificationError

TOLERANCE = 1e-4


def check_cut(model: nn.Module, cut: Cut, inputs: Iterable[Tensor]) -> None:
    """Raise VerificationError unless the cut model computes what the masked one does.

    Both run in evaluation mode and float64, so that what differs is the network and not rounding.

    Args:
        model: not changed.
        cut: to be tried on copies of it; one that only moves channels masks none.
        inputs: batches (N, C, H, W).
    """
    masked = mask(deepcopy(model).double().eval(), cut)
    small = apply_cut(deepcopy(model).double().eval(), cut)
    for x in inputs:
        with torch.no_grad():
            expected = masked(x.double())
            try:
                output = small(x.double())
            except Exception as error:
                line = str(error).strip().partition("\n")[0]
                raise VerificationError(
                    "the network does not run without the channels",
                    where=type(model).__name__,
                    got=f"{type(error).__name__}: {line}",
                    hint="its code states a number of channels",
                ) from None
        _compare(model, expected, output)


def _compare(model: nn.Module, expected: Tensor, output: Tensor) -> None:
    if not torch.isfinite(expected).all():
        raise VerificationError(
            "the masked network's output is not finite", where=type(model).__name__
        )
    scale = float(expected.abs().max()) or 1.0
    apart = (
        float((output - expected).abs().max()) / scale if output.shape == expected.shape else 1.0
    )
    if not apart <= TOLERANCE:
        raise VerificationError(
            "removed and masked channels differ",
            where=type(model).__name__,
            got=f"{apart:.3g} of the largest output",
            expected=f"at most {TOLERANCE:g}",
        )
