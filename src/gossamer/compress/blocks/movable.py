"""Channels that can change places with each other, and the filters that they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch import nn

from gossamer.compress.channels.units import Structure
from gossamer.compress.prune.selection import groups_of

Layers = Mapping[str, nn.Conv2d | nn.Linear]


@dataclass(frozen=True, eq=False)
class Movable:
    """Units of one group, in the order of their places.

    Args:
        units: (n,) numbers.
        sizes: of the bins, (bins,): how many of them neighbour each other in one block.
        layers: names of the layers whose filters they are.
        magnitudes: (n, M) of the weights of those filters, one layer beside the other.
    """

    units: np.ndarray
    sizes: np.ndarray
    layers: tuple[str, ...]
    magnitudes: np.ndarray


def find_movable(structure: Structure, layers: Layers, height: int) -> list[Movable]:
    """Return the groups of units whose order matters for blocks of some filters' height.

    Order does not matter to layers whose filters all read other channels (depthwise ones), and
    where units are whole groups of a grouped convolution.

    Args:
        structure: of the network.
        layers: whose blocks count, by name.
        height: filters of a block, ≥ 2.
    """
    found = (_movable(structure, group, layers, height) for group in structure.groups)
    return [movable for movable in found if movable is not None]


def places_of(units: np.ndarray, group: np.ndarray) -> np.ndarray | None:
    """Return (n, c): the places of each unit of a group along an axis, None if they are not alike.

    Args:
        units: (size,) unit of each place.
        group: (n,) units.
    """
    places = np.flatnonzero(np.isin(units, group))
    places = places[np.argsort(units[places], kind="stable")]
    counts = np.bincount(units[places], minlength=int(group.max()) + 1)[group]
    if not len(places) or counts.min() != counts.max():
        return None
    by_unit = places.reshape(len(group), -1)
    return by_unit[np.argsort(np.argsort(group))]


def _movable(
    structure: Structure, group: np.ndarray, layers: Layers, height: int
) -> Movable | None:
    """Return a group and its layers; the one with most weights says who is whose neighbour."""
    filters = {}
    for name, layer in layers.items():
        places = _filters(structure, group, name)
        if places is not None and len(np.unique(_blocks(layer, places[:, 0], height))) < len(group):
            filters[name] = places
    if not filters:
        return None
    largest = max(filters, key=lambda name: layers[name].weight.numel())
    order = np.argsort(filters[largest][:, 0], kind="stable")
    blocks = _blocks(layers[largest], filters[largest][order, 0], height)
    _, sizes = np.unique(blocks, return_counts=True)
    if len(sizes) == 1:
        return None
    rows = [_magnitudes(layers[name], places[order]) for name, places in filters.items()]
    return Movable(group[order], sizes, tuple(filters), np.concatenate(rows, axis=1))


def _filters(structure: Structure, group: np.ndarray, layer: str) -> np.ndarray | None:
    """Return (n, c): the filters of each unit in a layer; the first ones are neighbours, and so on.

    There are several where each group of a grouped convolution has one, or reads one.
    """
    units = structure.unit_of.get((f"{layer}.weight", 0))
    return None if units is None else places_of(units, group)


def _blocks(layer: nn.Conv2d | nn.Linear, filters: np.ndarray, height: int) -> np.ndarray:
    """Return the row of blocks that each filter is in, counted over all groups of channels."""
    size = len(layer.weight) // groups_of(layer)
    return filters // size * -(-size // height) + filters % size // height


def _magnitudes(layer: nn.Conv2d | nn.Linear, places: np.ndarray) -> np.ndarray:
    weight = layer.weight.detach().cpu().flatten(1).abs().double().numpy()
    return weight[places].reshape(len(places), -1)
