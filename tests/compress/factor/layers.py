"""Layers of every shape, and the composite kernel of a chain by running it."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from gossamer.compress.factor.stage import Stages, build_chain
from gossamer.compress.factor.target import Target


def conv(*args, **options) -> nn.Conv2d:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Conv2d(*args, **options).double().requires_grad_(False)


def linear(*args, **options) -> nn.Linear:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Linear(*args, **options).double().requires_grad_(False)


LAYERS = {
    "3x3": conv(6, 8, 3, padding=1),
    "stride": conv(6, 8, 3, stride=2, padding=(1, 0), bias=False),
    "dilation": conv(4, 6, (3, 2), dilation=2, padding="same"),
    "reflect": conv(4, 6, 3, padding=1, padding_mode="reflect"),
    "row": conv(6, 4, (1, 3), padding=(0, 1)),
    "point": conv(6, 8, 1, stride=2),
    "groups": conv(8, 12, 3, groups=2, padding=1),
    "depthwise": conv(6, 6, 3, groups=6, padding=1),
    "multiplier": conv(3, 12, 3, groups=3, padding=1),
    "linear": linear(10, 7),
    "wide": linear(4, 9, bias=False),
}


def target_of(layer, moment: Tensor | None = None) -> Target:
    return Target(layer, ((9, 8),) if isinstance(layer, nn.Conv2d) else ((1, 1),), moment)


def example_of(layer) -> Tensor:
    rng = torch.Generator().manual_seed(2)
    shape = (2, layer.in_channels, 9, 8) if isinstance(layer, nn.Conv2d) else (5, layer.in_features)
    return torch.randn(shape, generator=rng, dtype=torch.float64)


def kernel(stages: Stages, weights: list[Tensor]) -> Tensor:
    """Return the composite kernel (K, C, R, S) by running the chain on one-hot pictures."""
    plain = [replace(s, stride=(1, 1), padding=(0, 0), dilation=(1, 1), padding_mode="zeros")
             for s in stages]  # fmt: skip
    chain = build_chain(tuple(plain), weights, None).requires_grad_(False)
    channels = stages[0].in_channels
    if stages[0].kernel is None:
        return chain(torch.eye(channels, dtype=torch.float64)).T
    rows = [s.kernel[0] for s in stages]
    columns = [s.kernel[1] for s in stages]
    taps = (1 + sum(rows) - len(rows), 1 + sum(columns) - len(columns))
    size = channels * taps[0] * taps[1]
    pictures = torch.eye(size, dtype=torch.float64).view(size, channels, *taps)
    return chain(pictures).flatten(1).T.unflatten(1, (channels, *taps))


def dense_kernel(layer) -> Tensor:
    """Return the weight of a layer as if it had one group."""
    groups = getattr(layer, "groups", 1)
    parts = layer.weight.chunk(groups)
    if isinstance(layer, nn.Linear) or groups == 1:
        return layer.weight
    whole = torch.zeros(layer.out_channels, layer.in_channels, *layer.kernel_size).double()
    k, c = parts[0].shape[:2]
    for g, part in enumerate(parts):
        whole[g * k : (g + 1) * k, g * c : (g + 1) * c] = part
    return whole
