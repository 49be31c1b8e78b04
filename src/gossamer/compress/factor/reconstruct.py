"""Fitting the last factor of each chain to what its layer gave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from gossamer.compress.prune.criterion import Evidence
from gossamer.compress.prune.curvature.inputs import DAMPING, seen_inputs

Layer = nn.Conv2d | nn.Linear


def fit_last(
    chains: Mapping[str, nn.Sequential],
    dense: nn.Module,
    evidence: Evidence,
    *,
    damping: float = DAMPING,
) -> dict[str, float]:
    """Give the last layer of each chain the values that bring its layer's outputs back, in place.

    In the order of the layers: B and the bias minimise mean ‖B z + b − y‖², where y is what the
    dense network's layer gives and z what the chain's last layer reads now that the chains before
    it are in place, so that errors do not pile up. Rows that are all zero stay zero. Costs one walk
    over the pictures a chain, through both networks.

    Source: Zhang et al., "Accelerating Very Deep Convolutional Networks", 2015, section 3.3
    ("asymmetric" reconstruction), without their nonlinearity.

    Args:
        chains: by the name of the layer whose place they have in `evidence.model`.
        dense: the network with the layers.
        evidence: with data.
        damping: added to the diagonal of the second moments, as a fraction of its mean.

    Returns:
        For each chain the error that is left, as a share of Σ y².
    """
    left = {}
    with torch.no_grad():
        for name, chain in chains.items():
            last, layer = chain[-1], dense.get_submodule(name)
            assert isinstance(last, Layer)
            sums = _sums(last, layer, dense, evidence)
            _solve(last, sums, damping)
            left[name] = _error(last, sums)
    return left


@dataclass
class _Sums:
    """Σ z zᵀ (G, F, F), Σ y zᵀ (G, K/G, F) and Σ y² of one chain; z ends in 1 for a bias."""

    moment: Tensor
    mixed: Tensor
    energy: float = 0.0


def _sums(last: Layer, layer: nn.Module, dense: nn.Module, evidence: Evidence) -> _Sums:
    groups, kernels = _groups(last), last.weight.shape[0]
    size = last.weight[0].numel() + (last.bias is not None)
    empty = last.weight.new_zeros((groups, size, size), dtype=torch.float64)
    sums = _Sums(empty, empty.new_zeros(groups, kernels // groups, size))
    for z, y in _pairs(last, layer, dense, evidence):
        if last.bias is not None:
            z = torch.cat([z, torch.ones_like(z[:, :1])], 1)
        sums.moment += (z @ z.mT).double()
        sums.mixed += (y @ z.mT).double()
        sums.energy += float(y.double().square().sum())
    return sums


def _solve(last: Layer, sums: _Sums, damping: float) -> None:
    """Set weight and bias; damping pulls towards those that are there."""
    diagonal = sums.moment.diagonal(dim1=1, dim2=2)
    added = torch.diag_embed(damping * diagonal.mean(1, keepdim=True) + (diagonal == 0))
    right = sums.mixed + _matrix(last) @ added
    new = torch.linalg.solve(sums.moment + added, right.mT).mT
    rows = last.weight.flatten(1)
    alive = (rows != 0).any(1, keepdim=True)
    weight = new[..., : rows.shape[1]].reshape(rows.shape) * alive
    last.weight.copy_(weight.view(last.weight.shape))
    if last.bias is not None:
        last.bias.copy_(new[..., -1].flatten())


def _error(last: Layer, sums: _Sums) -> float:
    matrix = _matrix(last)
    explained = (matrix * (2 * sums.mixed - matrix @ sums.moment)).sum()
    return max(1 - float(explained) / sums.energy, 0.0) if sums.energy else 0.0


def _matrix(last: Layer) -> Tensor:
    """Return the weight, and behind it the bias if there is one, float64 (G, K/G, F)."""
    rows = last.weight.double().flatten(1)
    if last.bias is not None:
        rows = torch.cat([rows, last.bias.double()[:, None]], 1)
    return rows.unflatten(0, (_groups(last), -1))


def _groups(layer: Layer) -> int:
    return layer.groups if isinstance(layer, nn.Conv2d) else 1


def _pairs(
    last: Layer, layer: nn.Module, dense: nn.Module, evidence: Evidence
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield what the chain's last layer reads and what the dense layer gives, call by call."""
    read: list[Tensor] = []
    given: list[Tensor] = []

    def keep_read(module: Any, args: tuple[Any, ...]) -> None:
        read.append(seen_inputs(module, args[0].detach()))

    hooks = [
        last.register_forward_pre_hook(keep_read),
        layer.register_forward_hook(partial(_keep_given, given, _groups(last))),
    ]
    try:
        with evidence.evaluating() as model:
            dense.eval()
            for images, _ in evidence.batches():
                read.clear()
                given.clear()
                model(images)
                dense(images)
                yield from zip(read, given, strict=True)
    finally:
        for hook in hooks:
            hook.remove()


def _keep_given(given: list[Tensor], groups: int, module: Any, args: Any, out: Tensor) -> None:
    """Keep outputs as (G, K/G, N·places), in the order of `seen_inputs`."""
    if isinstance(module, nn.Linear):
        given.append(out.reshape(1, -1, out.shape[-1]).mT)
    else:
        columns = out.flatten(2).transpose(0, 1).flatten(1)
        given.append(columns.unflatten(0, (groups, -1)))
