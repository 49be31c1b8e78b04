"""Checks and figures that pruning passes share."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from gossamer.compress.contract import Context, check_data
from gossamer.compress.layers import match_layers
from gossamer.compress.prune.allocation import ALLOCATIONS
from gossamer.compress.prune.criterion import Layers
from gossamer.compress.prune.granularity import Granularity, parse_granularity
from gossamer.compress.prune.registry import CRITERIA
from gossamer.errors import PassError
from gossamer.train.recipe import Recipe


def check_sparsity(name: str, sparsity: float, min_density: float = 0.0) -> None:
    """Raise PassError unless 0 ≤ sparsity < 1 and the guard leaves enough to remove."""
    if not 0 <= sparsity < 1:
        raise PassError("sparsity out of range", where=name, got=sparsity, expected="0 ≤ s < 1")
    if not 0 <= min_density <= 1 - sparsity:
        raise PassError(
            "the layers' minimum density leaves too little to remove",
            where=name,
            got=min_density,
            expected=f"0…{1 - sparsity:g}",
        )


def check_choice(name: str, what: str, got: str, known: tuple[str, ...]) -> None:
    """Raise PassError if an option is none of the words it may be."""
    if got not in known:
        raise PassError(f"unknown {what}", where=name, got=got, expected=known)


def check_granularity(name: str, text: str, sparsity: float) -> Granularity:
    """Return a granularity; raise PassError if it is none, or says another sparsity."""
    granularity = parse_granularity(text, where=name)
    implied = 1 - granularity.keep / granularity.of if granularity.keep else sparsity
    if abs(implied - sparsity) > 1e-6:
        raise PassError(
            f"granularity {text} has a sparsity of its own",
            where=name,
            got=sparsity,
            expected=f"sparsity {implied:g}",
        )
    return granularity


def check_scope(
    name: str,
    model: nn.Module,
    context: Context,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    training: Recipe,
) -> Layers:
    """Return the matched layers; raise PassError if there is none, or no data to train on."""
    check_data(name, training, context)
    return match_layers(model, include, exclude, where=name)


def check_criterion(name: str, criterion: str, context: Context) -> None:
    """Raise PassError if a criterion is unknown or has nothing to look at."""
    check_choice(name, "criterion", criterion, tuple(CRITERIA))
    if CRITERIA[criterion].needs_data and context.data is None:
        raise PassError(f"criterion {criterion} needs data", where=name, hint="pass data=…")


def check_allocation(name: str, allocation: str, extra: tuple[str, ...] = ()) -> None:
    """Raise PassError if an allocation is unknown."""
    check_choice(name, "allocation", allocation, (*ALLOCATIONS, *extra))


def sparsity_of(layers: Layers) -> float:
    """Return the fraction of zeros over the layers together."""
    size = sum(layer.weight.numel() for layer in layers.values())
    return 1 - sum(int(layer.weight.count_nonzero()) for layer in layers.values()) / size


def sparsities(layers: Layers) -> Mapping[str, float]:
    """Return what pruning passes report: sparsity over all layers, and in the extreme ones."""
    each = [sparsity_of({name: layer}) for name, layer in layers.items()]
    return {
        "sparsity": sparsity_of(layers),
        "lowest_layer_sparsity": min(each),
        "highest_layer_sparsity": max(each),
    }
