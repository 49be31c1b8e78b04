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
_IMAGES = 16


def build_graph(row: Row, *, seed: int = 0) -> Graph:
    """Return the network of a row as a graph, its zeros in place.

    Random weights that stay are scaled by density^−½, so that the size of activations does not
    change, and the statistics of norms are estimated on random pictures. Speed does not depend on
    the values, as long as they are neither huge nor denormal.

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
    model = create_model(row.network, seed=seed)
    if row.weights:
        _load_weights(model, row.weights)
    if row.sparsity:
        _prune(model, row, seed)
    _estimate_norms(model, shape, seed)
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


def _estimate_norms(model: nn.Module, shape: tuple[int, ...], seed: int) -> None:
    from gossamer.compress.recover import reestimate_norms
    from gossamer.images import InputRecord
    from gossamer.train.data import Split

    channels, height, width = shape
    mode = {1: "L", 3: "RGB"}[channels]
    middle, spread = (0.5,) * channels, (0.29,) * channels  # of uniform pixels
    record = InputRecord(height, width, mode, mean=middle, deviation=spread, class_names=("any",))
    pixels = np.random.default_rng(seed).integers(
        0, 256, (_IMAGES, height, width, channels), np.uint8
    )
    reestimate_norms(model, Split(pixels, np.zeros(_IMAGES, np.int64), record), images=_IMAGES)
