"""The best two factors for the inputs that a layer has."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from gossamer.compress.factor.svd import SVD


class WeightedSVD(SVD):
    """The pair of `SVD` that changes the layer's outputs least, on the inputs of calibration.

    With C = mean x xᵀ = S Sᵀ over what a filter sees, ‖(W − Ŵ) S‖² = mean ‖(W − Ŵ) x‖² is smallest
    for Ŵ = [W S]_r S⁻¹, and the minimum is the sum of the squared singular values of W S behind the
    rank. With U the left singular vectors of W S, Ŵ = U_r U_rᵀ W: the principal components of the
    outputs, as in Zhang et al., "Accelerating Very Deep Convolutional Networks", 2015, section 3.1.
    They subtract the mean output first; here the bias is fitted afterwards.
    """

    needs_data: ClassVar[bool] = True

    @cached_property
    def basis(self) -> tuple[Tensor, Tensor]:
        """Return the principal components of the outputs, and their energies."""
        weight, moment = self.target.matrix, self.target.moment
        assert moment is not None, "the pass asked for data"
        energies, vectors = torch.linalg.eigh(weight @ moment @ weight.mT)
        length = min(weight.shape[1:])
        self.target = replace(self.target, moment=None)  # by far the largest thing here
        return vectors.flip(-1)[..., :length], energies.flip(-1).clamp(min=0)[..., :length]
