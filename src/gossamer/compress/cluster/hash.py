"""The hashing trick: which weights share a number follows from their positions alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from gossamer.compress.contract import Context, check_data
from gossamer.compress.layers import match_layers
from gossamer.compress.prune.mask import HoldZeros
from gossamer.compress.train_on import train_on
from gossamer.errors import PassError
from gossamer.nets.blocks.hashed import hash_positions
from gossamer.train.recipe import Recipe

_TRAINING = Recipe(epochs=20, optimiser="adamw", learning_rate=2e-3, weight_decay=0.0)


@dataclass(frozen=True)
class HashWeights:
    """Give the nonzero weights of each layer few values, shared by a hash, and train those values.

    V[k, f] = ξ(k, f)·w[h(k, f)]: one hash of the position says which bucket a weight falls into, a
    second one its sign. A bucket starts as the mean of ξ·V over its members, which is nearest to
    what was there, and a bucket's gradient is the sum of its members'. Zeros stay zero.

    The hash does not look at the weights, so that most of what the network had learned is lost and
    has to be learned anew; where it is to stay, `share-weights` chooses by value.

    Source: Chen, Wilson, Tyree, Weinberger, Chen, "Compressing Neural Networks with the Hashing
    Trick", 2015 (HashedNets); `gossamer.nets.blocks.hashed` is their layer. They train from random
    buckets; biases here are not hashed and train along. The graph knows nothing of hashes: it holds
    a codebook of the 2K values ±w and an index a weight, up to 256 values; beyond that, numbers.
    Passes that train later keep the 2K values, no longer in pairs.

    Args:
        fraction: buckets for each nonzero weight of a layer, 0 < f ≤ 1.
        most: buckets of a layer at most, ≥ 1; 0 for no bound.
        include: regular expressions of layer names.
        exclude: regular expressions of layer names to leave alone.
        training: how to train the buckets.
    """

    name: ClassVar[str] = "hash-weights"

    fraction: float = 0.125
    most: int = 128
    include: tuple[str, ...] = (".*",)
    exclude: tuple[str, ...] = ()
    training: Recipe = _TRAINING

    def check(self, model: nn.Module, context: Context) -> None:
        """Raise PassError if the pass cannot do what it is asked."""
        if not 0 < self.fraction <= 1:
            raise PassError(
                "fraction out of range", where=self.name, got=self.fraction, expected="0 < f ≤ 1"
            )
        if self.most < 0:
            raise PassError(
                "number of buckets out of range", where=self.name, got=self.most, expected="≥ 0"
            )
        check_data(self.name, self.training, context)
        match_layers(model, self.include, self.exclude, where=self.name)

    def apply(self, model: nn.Module, context: Context) -> nn.Module:
        """Share in place."""
        layers = match_layers(model, self.include, self.exclude, where=self.name)
        codes = {}
        for number, (name, layer) in enumerate(layers.items()):
            # Layers of equal shape must not share their collisions.
            seed = int(np.random.SeedSequence([context.seed, number]).generate_state(1)[0])
            codes[name] = hashed_codes(layer.weight, self._buckets(layer.weight), seed)
            fill_buckets(layer.weight, codes[name])
        train_on(model, context, self.training, (HoldZeros(model),), codes=codes)
        return model

    def _buckets(self, weight: Tensor) -> int:
        wanted = max(1, round(self.fraction * int(weight.count_nonzero())))
        return min(wanted, self.most) if self.most else wanted

    def got(self, model: nn.Module) -> Mapping[str, float]:
        """Return how many numbers the matched layers have, signs aside, and weights for each."""
        layers = match_layers(model, self.include, self.exclude, where=self.name)
        sizes = [layer.weight.detach().abs() for layer in layers.values()]
        buckets = sum(int(size[size > 0].unique().numel()) for size in sizes)
        nonzeros = sum(int(size.count_nonzero()) for size in sizes)
        return {"buckets": buckets, "nonzeros_per_bucket": nonzeros / max(buckets, 1)}


def hashed_codes(weight: Tensor, buckets: int, seed: int) -> Tensor:
    """Return the bucket 1…K of each weight, negative where its sign is turned, and 0 for zeros.

    Args:
        weight: of a layer, (K, …).
        buckets: how many.
        seed: of both hashes.

    Examples:
        >>> hashed_codes(torch.tensor([[1.0, 2.0, 0.0, 4.0]]), 2, seed=3).tolist()
        [1, -1, 0, -2]
    """
    alive = (weight.detach() != 0).flatten().cpu().numpy()
    bits = hash_positions(len(weight), weight[0].numel(), seed).ravel()
    # The lowest bit gives the sign, the others the bucket, so the two hashes are independent.
    bucket = ((bits >> np.uint64(1)) % np.uint64(buckets)).astype(np.int64) + 1
    sign = 1 - 2 * (bits & np.uint64(1)).astype(np.int64)
    return torch.from_numpy(alive * sign * bucket)


def fill_buckets(weight: Tensor, codes: Tensor) -> None:
    """Move each weight to its bucket's mean, in place.

    Examples:
        >>> weight = torch.tensor([[1.0, 2.0, 0.0, -4.0]])
        >>> fill_buckets(weight, torch.tensor([1, 1, 0, -1]))
        >>> [[round(value, 4) for value in row] for row in weight.tolist()]
        [[2.3333, 2.3333, 0.0, -2.3333]]
    """
    buckets, signs = codes.abs().to(weight.device), codes.sign().to(weight)
    members = buckets.bincount().clamp(min=1)
    with torch.no_grad():
        sums = weight.new_zeros(len(members)).scatter_add_(0, buckets, weight.flatten() * signs)
        weight.copy_(((sums / members)[buckets] * signs).view(weight.shape))
