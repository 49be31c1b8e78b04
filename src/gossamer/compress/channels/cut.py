"""Cutting channels out of a model, and setting them to zero in its like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gossamer.compress.channels.walk import canonical_names


@dataclass(frozen=True)
class Cut:
    """What is to stay.

    Args:
        kept: (tensor, axis) → places that stay.
        buffers: name → new content of a buffer that lists channels by number.
        attributes: module path → attribute → new value.
    """

    kept: Mapping[tuple[str, int], np.ndarray]
    buffers: Mapping[str, Tensor] = field(default_factory=dict)
    attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def apply_cut(model: nn.Module, cut: Cut) -> nn.Module:
    """Cut a model in place and return it."""
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    made: dict[str, Tensor] = {}
    for (name, axis), places in cut.kept.items():
        source = made[name] if name in made else tensors[name].detach()
        made[name] = source.index_select(axis, torch.from_numpy(places).to(source.device))
    made.update(cut.buffers)
    names = canonical_names(model)
    fresh = {name: _like(tensors[name], value) for name, value in made.items()}
    for name, first in names.items():
        if first in fresh:
            path, _, leaf = name.rpartition(".")
            setattr(model.get_submodule(path), leaf, fresh[first])
    for path, values in cut.attributes.items():
        for attribute, value in values.items():
            setattr(model.get_submodule(path), attribute, value)
    return model


def mask(model: nn.Module, cut: Cut) -> nn.Module:
    """Set in place to zero what the cut takes away, and return the model."""
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    with torch.no_grad():
        for (name, axis), places in cut.kept.items():
            gone = np.setdiff1d(np.arange(tensors[name].shape[axis]), places)
            tensors[name].index_fill_(axis, torch.from_numpy(gone).to(tensors[name].device), 0.0)
    return model


def _like(old: Tensor, new: Tensor) -> Tensor:
    new = new.clone()
    if isinstance(old, nn.Parameter):
        return nn.Parameter(new, requires_grad=old.requires_grad)
    return new
