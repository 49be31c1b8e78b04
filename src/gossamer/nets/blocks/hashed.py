"""A linear layer whose weights share a few numbers, chosen by a hash of their position.

V[k, f] = ξ(k, f) · w[h(k, f)], where h spreads the positions over a few buckets and ξ = ±1 is a
second hash that takes the bias out of collisions. Nothing but the buckets is stored.

Source: Chen, Wilson, Tyree, Weinberger, Chen, "Compressing Neural Networks with the Hashing Trick",
2015 (HashedNets). The hash here is SplitMix64, not the authors' xxHash.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from gossamer.errors import SpecError


def hash_positions(rows: int, columns: int, seed: int) -> np.ndarray:
    """Return a 64-bit hash of every position: (rows, columns) uint64, the same on every machine.

    Examples:
        >>> hash_positions(1, 2, seed=0)
        array([[16294208416658607535,  7960286522194355700]], dtype=uint64)
    """
    step = 0x9E3779B97F4A7C15
    mask = 2**64 - 1
    start = np.uint64(seed * 0xD1B54A32D192ED03 & mask)
    with np.errstate(over="ignore"):
        z = start + np.arange(1, rows * columns + 1, dtype=np.uint64) * np.uint64(step)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (z ^ (z >> np.uint64(31))).reshape(rows, columns)


class HashedLinear(nn.Module):
    """A linear layer (N, F) → (N, K) of which only the buckets are learned and stored.

    The bias is one more column of the virtual matrix (K, F + 1) and shares the buckets.

    Args:
        in_features: F.
        out_features: K.
        buckets: how many numbers to learn, 1 … K·(F + 1).
        seed: of both hashes; give every layer of a network its own.

    Raises:
        SpecError: if the number of buckets is out of range.

    Examples:
        >>> layer = HashedLinear(784, 100, buckets=9812, seed=1)  # an eighth of 78,500
        >>> sum(p.numel() for p in layer.parameters()), layer(torch.zeros(2, 784)).shape
        (9812, torch.Size([2, 100]))
    """

    index: Tensor
    sign: Tensor

    def __init__(self, in_features: int, out_features: int, *, buckets: int, seed: int = 0) -> None:
        super().__init__()
        virtual = out_features * (in_features + 1)
        if not 1 <= buckets <= virtual:
            raise SpecError("buckets out of range", got=buckets, expected=f"1 … {virtual}")
        self.in_features, self.out_features = in_features, out_features
        self.buckets = nn.Parameter(torch.empty(buckets))
        nn.init.normal_(self.buckets, std=(2 / in_features) ** 0.5)
        bits = hash_positions(out_features, in_features + 1, seed)
        # The lowest bit gives the sign, the others the bucket, so the two hashes are independent.
        index = ((bits >> np.uint64(1)) % np.uint64(buckets)).astype(np.int64)
        sign = 1 - 2 * (bits & np.uint64(1)).astype(np.float32)
        device = self.buckets.device
        self.register_buffer("index", torch.from_numpy(index).to(device), persistent=False)
        self.register_buffer("sign", torch.from_numpy(sign).to(device), persistent=False)

    def virtual_matrix(self) -> Tensor:
        """Return the (K, F + 1) matrix that the layer stands for; the last column is the bias."""
        return self.buckets[self.index] * self.sign

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, F) to (N, K)."""
        matrix = self.virtual_matrix()
        return nn.functional.linear(x, matrix[:, :-1], matrix[:, -1])

    def extra_repr(self) -> str:
        """Show the sizes."""
        return f"{self.in_features} → {self.out_features}, buckets={self.buckets.numel()}"
