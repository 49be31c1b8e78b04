"""Training values that several weights share."""

from __future__ import annotations

import torch
from torch import Tensor


class Tie:
    """Keeps the members of each cluster of one weight equal during training.

    A shared value's gradient is the sum of its members' (Han et al. 2016, section 3.3). A member
    that is set to zero on the way stays zero and counts no longer.

    Args:
        weight: of a layer.
        codes: int64, one a weight: 0 for zeros, 1… for the clusters, and negative where a weight
            is minus its cluster's value.
    """

    def __init__(self, weight: Tensor, codes: Tensor) -> None:
        self.weight, self.codes, self.signs = weight, codes.abs(), codes.sign()
        self.clusters = int(self.codes.max()) + 1

    def sum_gradient(self, gradient: Tensor) -> Tensor:
        """Return, for each member, the sum over its cluster, and 0 for zeros."""
        codes, alive = self._members()
        signs = self.signs.to(gradient) * alive
        sums = self._sums(gradient.flatten() * signs, codes)
        return (sums[codes] * signs).view(gradient.shape)

    def restore(self) -> None:
        """Undo what rounding in an optimiser step may have done to single members."""
        with torch.no_grad():
            codes, alive = self._members()
            signs = self.signs.to(self.weight)
            flat = self.weight.flatten() * signs
            # One member speaks for all, the last: a mean of equal numbers may differ from them.
            members = torch.zeros(self.clusters, dtype=torch.int64, device=flat.device)
            places = torch.arange(flat.numel(), device=flat.device)
            members.scatter_reduce_(0, codes, places * alive, "amax")
            table = flat[members]
            shared = (table[codes] * signs).masked_fill(~alive, 0.0)
            self.weight.copy_(shared.view(self.weight.shape))

    def _members(self) -> tuple[Tensor, Tensor]:
        """Return the codes, and which weights are shared values and not zeros."""
        codes = self.codes.to(self.weight.device)
        return codes, (codes > 0) & (self.weight.detach().flatten() != 0)

    def _sums(self, values: Tensor, codes: Tensor) -> Tensor:
        return values.new_zeros(self.clusters).scatter_add_(0, codes, values)


def codes_of(weight: Tensor) -> Tensor:
    """Return for each weight 0 if it is zero, else 1… for its value.

    Examples:
        >>> codes_of(torch.tensor([[0.5, 0.0], [-1.0, 0.5]])).tolist()
        [2, 0, 1, 2]
    """
    flat = weight.detach().flatten().cpu()
    values = flat[flat != 0].unique()
    return torch.where(flat == 0, 0, torch.searchsorted(values, flat) + 1)
