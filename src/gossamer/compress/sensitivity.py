"""How much each layer bears: the accuracy of the network when that layer alone is compressed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gossamer.compress.channels.cut import mask
from gossamer.compress.channels.plan import plan_cut
from gossamer.compress.channels.score import unit_scores
from gossamer.compress.channels.search import Search
from gossamer.compress.channels.units import find_structure
from gossamer.compress.layers import match_layers
from gossamer.compress.prune.criteria.magnitude import magnitude
from gossamer.compress.prune.criterion import Evidence
from gossamer.compress.prune.granularity import Granularity
from gossamer.compress.prune.registry import CRITERIA
from gossamer.compress.prune.selection import select
from gossamer.compress.quantise.grid import channel_scales, to_grid
from gossamer.errors import SpecError
from gossamer.train.data import Data, Split
from gossamer.train.evaluate import accuracy
from gossamer.train.fits import check_fits

LEVELS: Mapping[str, tuple[float, ...]] = {
    "sparsity": (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98),
    "bits": (8, 6, 5, 4, 3, 2),
    "channels": (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875),
}
"""By what is measured: zeros among a layer's weights, bits of each, channels removed."""

_WHERE = "sensitivity"


@dataclass(frozen=True)
class Curve:
    """One layer, or several whose channels go together.

    Args:
        layers: names.
        weights: entries of their weights.
        accuracies: of the network, 0…1, one a level.
    """

    layers: tuple[str, ...]
    weights: int
    accuracies: tuple[float, ...]


@dataclass(frozen=True)
class Sensitivity:
    """What came of a measurement.

    Args:
        over: "sparsity", "bits" or "channels".
        levels: in the order of the measurement.
        accuracy: of the network as it is, 0…1.
        images: that each number stands on.
        curves: in the order of the layers.
    """

    over: str
    levels: tuple[float, ...]
    accuracy: float
    images: int
    curves: tuple[Curve, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class _Part:
    """What is compressed at a time: `change` does it to a copy of the network, in place."""

    layers: tuple[str, ...]
    weights: int
    change: Callable[[nn.Module, float], None]


def measure_sensitivity(
    model: nn.Module,
    example_inputs: Tensor,
    data: Data,
    *,
    over: str = "sparsity",
    levels: Sequence[float] = (),
    criterion: str = "magnitude",
    images: int = 500,
    seed: int = 0,
    started: Callable[[int], Callable[[], Any]] = lambda total: lambda: None,
) -> Sensitivity:
    """Compress one layer at a time, leave the others alone, and measure.

    Layers whose channels are added to each other lose the same channels, so that they are one where
    channels are measured. Nothing is repaired or trained: this tells layers from each other, not
    what a compression ends with.

    Source: Han, Pool, Tran & Dally, "Learning both weights and connections", 2015, figure 6.

    Args:
        model: left as it is.
        example_inputs: one batch (N, C, H, W) float32.
        data: test pictures to measure on; training pictures where the criterion looks at some.
        over: a key of LEVELS.
        levels: fractions of zeros or of channels removed, 0…1, or whole bits, 2…8; those of LEVELS
            unless given.
        criterion: a name in `gossamer.compress.prune.registry.CRITERIA`, for "sparsity"; channels
            are ranked by magnitude.
        images: test pictures, drawn by the seed, at most; as many training pictures, ≥ 1.
        seed: of the draws.
        started: called with the number of measurements; what it returns is called after each.

    Raises:
        SpecError: if an option is out of range.
        ShapeError: if the network does not take the pictures of the data, or has too few classes.
        UnknownNameError: if there is no such criterion.
        PassError: if the network has no layer with weights.

    Examples:
        >>> from gossamer.nets.create import create_model
        >>> from gossamer.train.data import load_data
        >>> found = measure_sensitivity(create_model("digits-plain", width=4),
        ...     torch.zeros(1, 1, 8, 8), load_data("digits"), levels=(0.5, 0.9), images=20)
        >>> found.curves[0].layers, len(found.curves[0].accuracies)
        (('stem.conv',), 2)
    """
    levels = _checked(over, levels, images)
    if over != "sparsity" and criterion != "magnitude":
        raise SpecError(
            "a criterion is for sparsity", where=_WHERE, got=f"{criterion}, measured over {over}"
        )
    check_fits(model, data)
    model = deepcopy(model).cpu().eval()
    test = _some(data.test, images, seed)
    if over == "sparsity":
        parts = _by_zeros(model, criterion, Evidence(model, data.train, images, seed=seed))
    else:
        parts = _by_bits(model) if over == "bits" else _by_channels(model, example_inputs)
    parts = list(parts)
    advance = started(1 + len(parts) * len(levels))

    def judge(changed: nn.Module) -> float:
        found = accuracy(changed, test)
        advance()
        return found

    def changed(part: _Part, level: float) -> nn.Module:
        copy = deepcopy(model)
        part.change(copy, level)
        return copy

    whole = judge(model)
    curves = tuple(
        Curve(part.layers, part.weights, tuple(judge(changed(part, level)) for level in levels))
        for part in parts
    )
    return Sensitivity(over, levels, whole, len(test), curves)


def _checked(over: str, levels: Sequence[float], images: int) -> tuple[float, ...]:
    """Return the levels, or raise SpecError."""
    if over not in LEVELS:
        raise SpecError("nothing to measure", where=_WHERE, got=over, expected=list(LEVELS))
    if images < 1:
        raise SpecError("images out of range", where=_WHERE, got=images, expected="≥ 1")
    levels = tuple(levels) or LEVELS[over]
    for level in levels:
        fine = level in range(2, 9) if over == "bits" else 0 <= level < 1
        if not fine:
            expected = "2, 3, … 8 bits" if over == "bits" else "0 ≤ x < 1"
            raise SpecError("level out of range", where=_WHERE, got=level, expected=expected)
    return levels


def _some(split: Split, images: int, seed: int) -> Split:
    order = np.random.default_rng(seed).permutation(len(split))[:images]
    return Split(split.pixels[order], split.labels[order], split.record)


def _by_zeros(model: nn.Module, criterion: str, evidence: Evidence) -> Iterator[_Part]:
    """Yield each layer, to lose its lowest scores."""
    layers, element = match_layers(model, (".*",), (), where=_WHERE), Granularity()
    scores = CRITERIA[criterion]().scores(layers, evidence, element)
    for name, layer in layers.items():

        def change(copy: nn.Module, level: float, name: str = name) -> None:
            own = match_layers(copy, (".*",), (), where=_WHERE)[name]
            kept = select({name: own}, scores, element, level, "global", 0.0)[name]
            _put(own.weight, own.weight * kept)

        yield _Part((name,), layer.weight.numel(), change)


def _by_bits(model: nn.Module) -> Iterator[_Part]:
    """Yield each layer, to have its weights rounded to integers a channel."""
    for name, layer in match_layers(model, (".*",), (), where=_WHERE).items():

        def change(copy: nn.Module, level: float, name: str = name) -> None:
            weight, largest = copy.get_submodule(name).weight, 2 ** (int(level) - 1) - 1
            assert isinstance(weight, Tensor)
            _put(weight, to_grid(weight.detach(), channel_scales(weight, largest), largest))

        yield _Part((name,), layer.weight.numel(), change)


def _by_channels(model: nn.Module, example_inputs: Tensor) -> Iterator[_Part]:
    """Yield each group of layers whose output channels go together, to lose the least of them."""
    search = Search(model, example_inputs, lambda name: False)
    structure = find_structure(search.flow, search.held)
    scores = unit_scores(structure, dict(search.model.named_parameters()), magnitude)
    for group in structure.groups:
        own = [one for one in search.flow.layers if np.isin(structure.units(one.rows), group).any()]
        order = group[np.argsort(scores[group], kind="stable")]

        def change(copy: nn.Module, level: float, order: np.ndarray = order) -> None:
            gone = np.zeros(structure.count, bool)
            gone[order[: min(round(level * len(order)), len(order) - 1)]] = True
            mask(copy, plan_cut(search.model, structure, gone))

        names = tuple(dict.fromkeys(one.weight.rpartition(".")[0] for one in own))
        sizes = [dict(model.named_parameters())[one.weight].numel() for one in own]
        yield _Part(names, sum(sizes), change)


def _put(weight: Tensor, values: Tensor) -> None:
    with torch.no_grad():
        weight.copy_(values)
