"""Cutting channels out of a model's tensors and of the numbers that count them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gossamer.compress.channels.units import Structure
from gossamer.compress.channels.walk import canonical_names
from gossamer.compress.channels.work import kept_axes


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
        source = made.get(name, tensors[name].detach())
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


def plan_cut(
    model: nn.Module, structure: Structure, removed: np.ndarray, *, edit: bool = True
) -> Cut:
    """Return the cut for some units: tensors, and the attributes that count their channels.

    Args:
        model: not changed.
        structure: of the model.
        removed: for each unit whether it goes.
        edit: also change attributes of modules that are not torch's own, where their value is
            that of a channel count in a call that the module makes.
    """
    kept = kept_axes(structure, removed)
    gone = np.append(removed, False)[structure.roots]  # by label; unit −1 is the appended one
    attributes: dict[str, dict[str, Any]] = {}
    _layer_attributes(model, structure, gone, attributes)
    _norm_attributes(model, kept, attributes)
    if edit:
        _stated_sizes(model, structure, gone, attributes)
    buffers = {}
    for use in structure.flow.indices:
        numbers = model.get_buffer(use.buffer)
        buffers[use.buffer] = _renumbered(numbers, gone[use.source].all(axis=1))
    return Cut(kept, buffers, attributes)


def _layer_attributes(
    model: nn.Module,
    structure: Structure,
    gone: np.ndarray,
    attributes: dict[str, dict[str, Any]],
) -> None:
    """Set the widths and groups of torch's convolution and linear layers."""
    for layer in structure.flow.layers:
        path = layer.weight.rpartition(".")[0]
        inputs, rows, columns = (
            int((~gone[labels]).sum()) for labels in (layer.inputs, layer.rows, layer.columns)
        )
        if (inputs, rows) == (len(layer.inputs), len(layer.rows)):
            continue
        module = model.get_submodule(path)
        if isinstance(module, nn.modules.conv._ConvNd):
            groups = inputs // columns if module.groups > 1 else 1
            values = {"in_channels": inputs, "out_channels": rows, "groups": groups}
        elif isinstance(module, nn.Linear):
            values = {"in_features": inputs, "out_features": rows}
        else:
            continue
        attributes.setdefault(path, {}).update(values)


def _norm_attributes(
    model: nn.Module, kept: Mapping[tuple[str, int], np.ndarray], attributes: dict[str, dict]
) -> None:
    """Set the widths of torch's norms and of PReLU."""
    for name, _ in kept:
        path = name.rpartition(".")[0]
        module, count = model.get_submodule(path), len(kept[name, 0]) if (name, 0) in kept else 0
        if isinstance(module, nn.modules.batchnorm._NormBase):
            attributes.setdefault(path, {})["num_features"] = count
        elif isinstance(module, nn.GroupNorm):
            groups = module.num_groups * count // module.num_channels
            attributes.setdefault(path, {}).update(num_channels=count, num_groups=groups)
        elif isinstance(module, nn.PReLU):
            attributes.setdefault(path, {})["num_parameters"] = count


_OWN = (nn.modules.conv._ConvNd, nn.Linear, nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.PReLU)


def _stated_sizes(
    model: nn.Module,
    structure: Structure,
    gone: np.ndarray,
    attributes: dict[str, dict[str, Any]],
) -> None:
    """Set attributes that hold what a call counted, unless two calls disagree about them."""
    wanted: dict[str, dict[Any, set[Any]]] = {}
    for use in structure.flow.sizes:
        new = tuple(int((~gone[labels]).any(axis=1).sum()) for labels in use.counted)
        key, value = (use.sizes, new) if len(new) > 1 else (use.sizes[0], new[0])
        wanted.setdefault(use.module, {}).setdefault(key, set()).add(value)
    for path, sizes in wanted.items():
        module = model.get_submodule(path)
        if isinstance(module, _OWN):
            continue
        for attribute, value in vars(module).items():
            key = tuple(value) if isinstance(value, list | tuple) else value
            new = sizes.get(key) if _is_size(key) else None
            if new and len(new) == 1 and (found := next(iter(new))) != key:
                found = type(value)(found) if isinstance(value, list | tuple) else found
                attributes.setdefault(path, {})[attribute] = found


def _is_size(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(type(item) is int for item in value)
    return type(value) is int


def _renumbered(numbers: Tensor, gone: np.ndarray) -> Tensor:
    """Return the numbers that stay, counted among the places that stay."""
    stays = torch.from_numpy(~gone).to(numbers.device)
    return (stays.cumsum(0) - 1)[numbers[stays[numbers]]].to(numbers.dtype)


def _like(old: Tensor, new: Tensor) -> Tensor:
    new = new.clone()
    if isinstance(old, nn.Parameter):
        return nn.Parameter(new, requires_grad=old.requires_grad)
    return new
