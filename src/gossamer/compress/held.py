"""What earlier passes gave to weights, and training has to keep: shared values and grids.

Nothing notes them. As zeros are a mask, equal values are a codebook, and multiples of one number a
grid: they are read off the weights when training begins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from gossamer.compress.cluster.tie import Tie, codes_of
from gossamer.compress.layers import WEIGHTED
from gossamer.compress.quantise.grid import to_grid
from gossamer.compress.quantise.straight_through import Rounding, StraightThrough
from gossamer.graph.layouts import Quantised
from gossamer.graph.rewrite.choose_layouts import has_few_values
from gossamer.graph.rewrite.read_grids import grid_of
from gossamer.train.step import AfterStep, Step


@contextmanager
def held_forms(
    model: nn.Module, codes: Mapping[str, Tensor], free: frozenset[str]
) -> Iterator[tuple[AfterStep, ...]]:
    """Keep shared values shared and grids grids while a network is trained.

    Yields what `fit` is to call after every step, after whatever sets weights to zero: zeros that
    come on the way are kept, too.

    Args:
        model: about to be trained.
        codes: of layers that a pass ties itself, by name; see `Tie`.
        free: names of layers that are held otherwise, or not at all.
    """
    layers = _weighted(model)
    codes = {name: own for name, own in codes.items() if name in layers}
    ties = [Tie(layers[name].weight, own) for name, own in codes.items()]
    grids: dict[str, Rounding] = {}
    for name, layer in layers.items():
        if name in free or name in codes:
            continue
        array = layer.weight.detach().cpu().float().numpy()
        grid = grid_of(array)
        is_shared = has_few_values(array)
        if grid is not None and not (is_shared and _largest(grid) == 1):
            grids[name] = partial(_round, grid)
        elif is_shared:
            ties.append(Tie(layer.weight, codes_of(layer.weight)))
    hooks = [tie.weight.register_hook(tie.sum_gradient) for tie in ties]

    def restore(step: Step) -> None:
        for tie in ties:
            tie.restore()

    try:
        yield (restore, StraightThrough({name: layers[name] for name in grids}, grids))
    finally:
        for hook in hooks:
            hook.remove()


def _weighted(model: nn.Module) -> dict[str, nn.Conv2d | nn.Linear]:
    """Return the layers by name; of those with one and the same weight the first."""
    found: dict[Tensor, tuple[str, nn.Conv2d | nn.Linear]] = {}
    for name, module in model.named_modules():
        if isinstance(module, WEIGHTED):
            found.setdefault(module.weight, (name, module))
    return dict(found.values())


def _round(grid: Quantised, weight: Tensor) -> Tensor:
    """Return weights rounded to a grid that was read, with integers of as many bits as it has."""
    bits = _largest(grid).bit_length()
    return to_grid(weight, torch.from_numpy(grid.scales.copy()), 2**bits - 1)


def _largest(grid: Quantised) -> int:
    return int(np.abs(grid.integers).max(initial=1))
