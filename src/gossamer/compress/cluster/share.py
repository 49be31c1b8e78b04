"""Weight sharing: the nonzeros of a layer take few values, which are then trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from gossamer.compress.cluster.kmeans import INITS, kmeans_1d, nearest
from gossamer.compress.contract import Context, check_data
from gossamer.compress.layers import match_layers
from gossamer.compress.prune.mask import HoldZeros
from gossamer.compress.train_on import train_on
from gossamer.counts import shared_bits
from gossamer.errors import PassError
from gossamer.train.recipe import Recipe

_TRAINING = Recipe(epochs=5, optimiser="adamw", learning_rate=5e-4, weight_decay=0.0)


@dataclass(frozen=True)
class ShareWeights:
    """Give the nonzero weights of each layer 2^bits values by k-means, and train those values.

    A shared value's gradient is the sum of its members' gradients. Zeros stay exactly zero and need
    no value of their own. Norms and biases keep their full precision and are trained along.

    Source: Han, Mao & Dally, "Deep Compression", 2016, section 3. They step along the summed
    gradient with plain gradient descent; the default here is Adam, whose steps do not grow with
    the number of members.

    Args:
        bits: 1…16; at most 2^bits different nonzero values a codebook.
        init: "linear", "density", "random" or "optimal", see `kmeans_1d`.
        channels: output channels that share a codebook, ≥ 1, neighbours; 0 for one codebook a
            layer. The graph keeps the codebooks of a layer as one, of at most 256 values; beyond
            that it holds the weights as numbers.
        include: regular expressions of layer names.
        exclude: regular expressions of layer names to leave alone.
        training: how to train the shared values.
    """

    name: ClassVar[str] = "share-weights"

    bits: int = 4
    init: str = "linear"
    channels: int = 0
    include: tuple[str, ...] = (".*",)
    exclude: tuple[str, ...] = ()
    training: Recipe = _TRAINING

    def check(self, model: nn.Module, context: Context) -> None:
        """Raise PassError if the pass cannot do what it is asked."""
        if not 1 <= self.bits <= 16:
            raise PassError("bits out of range", where=self.name, got=self.bits, expected="1…16")
        if self.init not in INITS:
            raise PassError("unknown start", where=self.name, got=self.init, expected=INITS)
        if self.channels < 0:
            raise PassError(
                "channels out of range", where=self.name, got=self.channels, expected="≥ 0"
            )
        check_data(self.name, self.training, context)
        match_layers(model, self.include, self.exclude, where=self.name)

    def apply(self, model: nn.Module, context: Context) -> nn.Module:
        """Share in place."""
        layers = match_layers(model, self.include, self.exclude, where=self.name)
        rng = np.random.default_rng(context.seed)
        codes = {name: self._codes(layer.weight, rng) for name, layer in layers.items()}
        train_on(model, context, self.training, (HoldZeros(model),), codes=codes)
        return model

    def _codes(self, weight: Tensor, rng: np.random.Generator) -> Tensor:
        """Move each nonzero to its centroid, and return 0 for zeros and 1… for the centroids."""
        rows = weight.detach().cpu().numpy().reshape(len(weight), -1).copy()
        codes = np.zeros(rows.shape, np.int64)
        for start in range(0, len(rows), self.channels or len(rows)):
            some = slice(start, start + (self.channels or len(rows)))
            values, alive = rows[some], rows[some] != 0
            if alive.any():
                centroids = kmeans_1d(values[alive], 2**self.bits, init=self.init, rng=rng)
                own = nearest(values[alive], centroids)
                codes[some][alive] = own + 1 + codes.max()
                values[alive] = centroids[own]
        with torch.no_grad():
            weight.copy_(torch.from_numpy(rows).view(weight.shape))
        return torch.from_numpy(codes.ravel())

    def got(self, model: nn.Module) -> Mapping[str, float]:
        """Return the most different nonzero values in a matched layer, and what a nonzero takes.

        That is the bits of its code and its share of the codebook, positions and coding aside.
        """
        layers = match_layers(model, self.include, self.exclude, where=self.name)
        alive = [layer.weight.detach()[layer.weight.detach() != 0] for layer in layers.values()]
        distinct = [int(values.unique().numel()) for values in alive]
        bits = sum(shared_bits(v.numel(), k) for v, k in zip(alive, distinct, strict=True))
        nonzeros = max(sum(values.numel() for values in alive), 1)
        return {"distinct_values": max(distinct), "bits_per_nonzero": bits / nonzeros}
