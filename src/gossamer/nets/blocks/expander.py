"""Convolutions whose connections are a fixed random sparse graph, an expander.

In a random graph of constant degree every input reaches every output after O(log C) layers, so few
connections suffice for dense paths.

Source: Prabhu, Varma, Namboodiri, "Deep Expander Networks: Efficient Deep Networks from Graph
Theory", 2018 (X-Nets). The authors' code gives each input C/X outputs where the layer widens, which
is sparser than 1/X; here the density is 1/X both ways, as their tables count.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gossamer.errors import SpecError


def expander_mask(in_channels: int, out_channels: int, sparsify: int, seed: int) -> Tensor:
    """Return which input (column) feeds which output (row): (K, C) float32 of zeros and ones.

    If C > K, every output has ⌊C/X⌋ inputs; otherwise every input has ⌊K/X⌋ outputs.

    Args:
        in_channels: C.
        out_channels: K.
        sparsify: X ≥ 1, at most the larger width; the density is about 1/X.
        seed: the same seed gives the same graph.

    Raises:
        SpecError: if X is out of range.

    Examples:
        >>> expander_mask(8, 4, 2, seed=0).sum(1).tolist()
        [4.0, 4.0, 4.0, 4.0]
    """
    wide, narrow = max(in_channels, out_channels), min(in_channels, out_channels)
    if not 1 <= sparsify <= wide:
        raise SpecError("the expander's X is out of range", got=sparsify, expected=f"1 … {wide}")
    generator = torch.Generator().manual_seed(seed)
    order = torch.rand(narrow, wide, generator=generator, device="cpu").argsort(1)
    mask = torch.zeros(narrow, wide, device="cpu")
    mask.scatter_(1, order[:, : wide // sparsify], 1.0)
    return mask if in_channels > out_channels else mask.T.contiguous()


class ExpanderConv2d(nn.Conv2d):
    """A convolution without bias whose kernels are zero off a fixed expander graph.

    All taps of a kernel share the mask. The mask is part of the state; masked weights get no
    gradient.

    Args:
        in_channels: C.
        out_channels: K.
        kernel: R = S, in pixels; padded to keep H and W at stride 1.
        sparsify: X ≥ 1; about one weight of X remains.
        stride: of the convolution.
        seed: of the graph; None draws it from PyTorch's generator.

    Examples:
        >>> conv = ExpanderConv2d(8, 4, 3, sparsify=4, seed=1)
        >>> conv.connections, conv(torch.zeros(1, 8, 5, 5)).shape
        (8, torch.Size([1, 4, 5, 5]))
    """

    mask: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int = 3,
        *,
        sparsify: int = 2,
        stride: int = 1,
        seed: int | None = None,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel, stride, kernel // 2, bias=False)
        seed = int(torch.randint(2**31, (), device="cpu")) if seed is None else seed
        mask = expander_mask(in_channels, out_channels, sparsify, seed)[:, :, None, None]
        self.register_buffer("mask", mask.to(self.weight.device))
        fan_in = self.connections_of(in_channels, out_channels, sparsify) / out_channels
        nn.init.normal_(self.weight, std=(2 / (fan_in * kernel**2)) ** 0.5)
        self.connections = self.connections_of(in_channels, out_channels, sparsify)

    @staticmethod
    def connections_of(in_channels: int, out_channels: int, sparsify: int) -> int:
        """Return the number of (input, output) pairs that are connected."""
        wide, narrow = max(in_channels, out_channels), min(in_channels, out_channels)
        return narrow * (wide // sparsify)

    def forward(self, input: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, K, H/stride, W/stride)."""
        return self._conv_forward(input, self.weight * self.mask, None)
