"""Weight sharing: the nonzeros of a layer take few values, which are then trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from gossamer.compress.cluster.kmeans import INITS, kmeans_1d, nearest
from gossamer.compress.contract import Context, check_data
from gossamer.compress.layers import match_layers
from gossamer.counts import shared_bits
from gossamer.errors import PassError
from gossamer.train.fit import fit
from gossamer.train.recipe import Recipe
from gossamer.train.step import Step

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
        ties = [_Tie(layer.weight, self._codes(layer.weight, rng)) for layer in layers.values()]
        if context.data is None:
            return model
        hooks = [tie.weight.register_hook(tie.sum_gradient) for tie in ties]

        def restore(step: Step) -> None:
            for tie in ties:
                tie.restore()

        try:
            training = replace(self.training, seed=context.seed)
            fit(model, context.data, training, progress=context.progress, after_step=(restore,))
        finally:
            for hook in hooks:
                hook.remove()
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


class _Tie:
    """Keeps the members of each cluster of one weight equal during training."""

    def __init__(self, weight: Tensor, codes: Tensor) -> None:
        self.weight, self.codes = weight, codes
        # One member a code speaks for all. Codes are dense: k-means returns no empty cluster.
        self.clusters = int(codes.max()) + 1
        members = torch.zeros(self.clusters, dtype=torch.int64)
        self.members = members.scatter_(0, codes, torch.arange(codes.numel()))[1:]

    def sum_gradient(self, gradient: Tensor) -> Tensor:
        """Return, for each member, the sum over its cluster, and 0 for zeros."""
        codes = self.codes.to(gradient.device)
        sums = gradient.new_zeros(self.clusters).scatter_add_(0, codes, gradient.flatten())
        sums[0] = 0
        return sums[codes].view(gradient.shape)

    def restore(self) -> None:
        """Undo what rounding in an optimiser step may have done to single members."""
        with torch.no_grad():
            device = self.weight.device
            values = self.weight.flatten()[self.members.to(device)]
            table = torch.cat([values.new_zeros(1), values])
            self.weight.copy_(table[self.codes.to(device)].view(self.weight.shape))
