"""Row → graph: make the network, set its zeros, and bring its activations to a sane size."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gossamer.bench.suite.masks import masks
from gossamer.bench.suite.row import Row
from gossamer.errors import DataError
from gossamer.graph import Graph

if TYPE_CHECKING:
    from torch import Tensor, nn

DATA_FOLDER = "GOSSAMER_DATA"
_IMAGES = 4


def build_graph(row: Row, *, seed: int = 0) -> Graph:
    """Return the network of a row as a graph, its zeros in place.

    Random weights that stay are scaled by density^−½ and norms to what they are given, so that
    activations stay of a size. Speed does not depend on the values, as long as they are neither
    huge nor denormal.

    Raises:
        UnknownNameError: if there is no such network.
        DataError: if the row needs trained weights and they are not there.
        SpecError: if the pattern does not fit the network.
    """
    from gossamer.graph.from_torch import from_torch
    from gossamer.graph.rewrite.pipeline import rewrite
    from gossamer.nets.create import create_model
    from gossamer.nets.registry import NETWORKS

    shape = NETWORKS[row.network].input_shape
    if row.size:
        shape = (shape[0], row.size, row.size)
    model = create_model(row.network, seed=seed)
    if row.weights:
        _load_weights(model, row.weights)
    if row.sparsity:
        _prune(model, row, seed)
    if not row.weights:
        _scale_norms(model, shape, seed)
    example = np.zeros((1, *shape), np.float32)
    return rewrite(from_torch(model.eval(), example, name=row.name))


def _load_weights(model: nn.Module, name: str) -> None:
    from gossamer.nets.weights.load import load_weights

    folder = os.environ.get(DATA_FOLDER)
    if not folder:
        raise DataError("this row needs trained weights", hint=f"set {DATA_FOLDER} to their folder")
    load_weights(model, Path(folder, name))


def _prune(model: nn.Module, row: Row, seed: int) -> None:
    """Set the zeros of a row in place."""
    import torch

    weights = pruned_weights(model, row.pruned)
    found = masks(weights, row, torch.Generator().manual_seed(seed))
    with torch.no_grad():
        for name, mask in found.items():
            scale = 1.0 if row.weights else float(mask.float().mean()) ** -0.5
            weights[name].mul_(mask * scale)


def pruned_weights(model: nn.Module, pruned: str) -> dict[str, Tensor]:
    """Return the weights that a row prunes, by layer: not the first one, no depthwise ones.

    Args:
        model: a network.
        pruned: "all", or "pointwise" for 1×1 convolutions only.
    """
    from torch import nn

    layers = [(n, m) for n, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    weights = {name: layer.weight for name, layer in layers[1:]}
    if pruned == "pointwise":
        return {n: w for n, w in weights.items() if w.shape[2:] == (1, 1) and w.shape[1] > 1}
    return {n: w for n, w in weights.items() if w.ndim == 2 or w.shape[1] > 1}


def _scale_norms(model: nn.Module, shape: tuple[int, ...], seed: int) -> None:
    """Let each norm divide by the root mean square of what it is given; no mean is subtracted.

    A random network whose norms subtract means is chaotic (Yang et al. 2019): it would magnify the
    rounding of every engine, and outputs could not be compared.
    """
    import torch
    from torch import nn

    def measure(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        (x,) = inputs
        norm.get_buffer("running_mean").zero_()
        power = x.square().transpose(0, 1).flatten(1).mean(1)
        norm.get_buffer("running_var").copy_(power)

    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    hooks = [norm.register_forward_pre_hook(measure) for norm in norms]
    with torch.no_grad():
        model.eval()(torch.randn(_IMAGES, *shape, generator=torch.Generator().manual_seed(seed)))
    for hook in hooks:
        hook.remove()
