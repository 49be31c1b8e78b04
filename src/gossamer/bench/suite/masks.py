"""Where the zeros of a row are. torch is imported on use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING

from gossamer.bench.suite.row import Row
from gossamer.errors import SpecError

if TYPE_CHECKING:
    from torch import Generator, Tensor

BLOCKS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {"unstructured": (1, 1), "blocks": (4, 1), "runs": (1, 4)}
)
"""Pattern → output channels and input channels that are kept or removed together."""


def masks(weights: Mapping[str, Tensor], row: Row, generator: Generator) -> dict[str, Tensor]:
    """Return one mask a weight, True where it stays.

    Args:
        weights: of the layers to prune, (K, C/G, R, S) or (K, F).
        row: says how many zeros, in what pattern, and how they are spread over the layers.
        generator: of the random places.

    Raises:
        SpecError: for blocks in a layer whose output channels are no multiple of four, and for runs
            in one whose input channels are none.
    """
    from gossamer.compress.prune.allocation import keep_best

    if row.allocation == "global":
        scores = {name: weight.detach().abs() for name, weight in weights.items()}
        return keep_best(scores, row.sparsity, "global", 0.0)
    shapes = {name: tuple(weight.shape) for name, weight in weights.items()}
    densities = erk_densities(shapes, row.sparsity) if row.allocation == "erk" else {}
    return {
        name: _random_mask(shape, 1 - densities.get(name, 1 - row.sparsity), row.pattern, generator)
        for name, shape in shapes.items()
    }


def _random_mask(
    shape: tuple[int, ...], sparsity: float, pattern: str, generator: Generator
) -> Tensor:
    """Return a mask with exactly the wanted zeros, to rounding, at random places."""
    import torch

    from gossamer.compress.prune.allocation import keep_best

    rows, channels = BLOCKS[pattern]
    if shape[0] % rows or shape[1] % channels:
        raise SpecError(
            "blocks need a multiple of four output channels, runs of input channels", got=shape[:2]
        )
    scores = torch.rand(shape[0] // rows, shape[1] // channels, *shape[2:], generator=generator)
    mask = keep_best({"": scores}, sparsity, "uniform", 0.0)[""]
    return mask.repeat_interleave(rows, dim=0).repeat_interleave(channels, dim=1)


def erk_densities(shapes: Mapping[str, tuple[int, ...]], sparsity: float) -> dict[str, float]:
    """Return the density of each layer after Evci et al. 2020 (Erdős–Rényi kernel).

    A layer's density is proportional to the sum of its sizes over their product; a layer that
    would have more than all of its weights is dense, and the others share what is left.

    Examples:
        >>> erk_densities({"a": (2, 2), "b": (8, 8)}, 0.5)
        {'a': 1.0, 'b': 0.46875}
    """
    sizes = {name: prod(shape) for name, shape in shapes.items()}
    raw = {name: sum(shape) / prod(shape) for name, shape in shapes.items()}
    kept = (1 - sparsity) * sum(sizes.values())
    dense: set[str] = set()
    while rest := shapes.keys() - dense:
        scale = (kept - _total(sizes, dense)) / sum(raw[name] * sizes[name] for name in rest)
        full = {name for name in rest if scale * raw[name] > 1}
        if not full:
            return {name: 1.0 if name in dense else scale * raw[name] for name in shapes}
        dense |= full
    return dict.fromkeys(shapes, 1.0)


def _total(sizes: Mapping[str, int], names: Iterable[str]) -> int:
    return sum(sizes[name] for name in names)
