"""From units that go to a cut: which places stay, and what the numbers that count them become."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gossamer.compress.channels.cut import Cut
from gossamer.compress.channels.units import Structure
from gossamer.compress.channels.work import kept_axes

Attributes = dict[str, dict[str, Any]]


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
    attributes: Attributes = {}
    _layer_attributes(model, structure, gone, attributes)
    _norm_attributes(model, kept, attributes)
    if edit:
        _stated_sizes(model, structure, gone, attributes)
    buffers = {}
    for use in structure.flow.indices:
        numbers = model.get_buffer(use.buffer)
        buffers[use.buffer] = _renumbered(numbers, np.all(gone[use.source], axis=1))
    return Cut(kept, buffers, attributes)


def _layer_attributes(
    model: nn.Module,
    structure: Structure,
    gone: np.ndarray,
    attributes: Attributes,
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
    model: nn.Module, kept: Mapping[tuple[str, int], np.ndarray], attributes: Attributes
) -> None:
    """Set the widths of torch's norms and of PReLU."""
    for name, _ in kept:
        path = name.rpartition(".")[0]
        module = model.get_submodule(path)
        count = len(kept[name, 0]) if (name, 0) in kept else 0
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
    attributes: Attributes,
) -> None:
    """Set attributes that hold what a call counted, unless two calls disagree about them."""
    wanted: dict[str, dict[Any, set[Any]]] = {}
    for use in structure.flow.sizes:
        left = [int((~gone[labels]).any(axis=1).sum()) for labels in use.counted]
        key, value = (use.sizes, tuple(left)) if len(left) > 1 else (use.sizes[0], left[0])
        wanted.setdefault(use.module, {}).setdefault(key, set()).add(value)
    for path, sizes in wanted.items():
        module = model.get_submodule(path)
        if isinstance(module, _OWN):
            continue
        for attribute, value in vars(module).items():
            key = tuple(value) if isinstance(value, list | tuple) else value
            new = sizes.get(key, set()) if _is_size(key) else set()
            if len(new) == 1 and (found := next(iter(new))) != key:
                found = list(found) if isinstance(value, list) else found
                attributes.setdefault(path, {})[attribute] = found


def _is_size(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(type(item) is int for item in value)
    return type(value) is int


def _renumbered(numbers: Tensor, gone: np.ndarray) -> Tensor:
    """Return the numbers that stay, counted among the places that stay."""
    stays = torch.from_numpy(~gone).to(numbers.device)
    return (stays.cumsum(0) - 1)[numbers[stays[numbers]]].to(numbers.dtype)
