"""A training recipe: everything that decides the result apart from network and data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from gossamer.errors import SpecError
from gossamer.train.options import options_from_dict, options_to_dict
from gossamer.train.registry import AUGMENTS, OPTIMISERS, PRECISIONS, SCHEDULES

_RANGES = {
    "epochs": (0, inf),
    "batch_size": (1, inf),
    "learning_rate": (0, inf),
    "momentum": (0, 1),
    "weight_decay": (0, inf),
    "warmup": (0, inf),
    "label_smoothing": (0, 1),
    "distil": (0, 1),
    "temperature": (1e-3, 1e3),
    "seed": (0, 2**63 - 1),
}
_NAMES = {
    "optimiser": OPTIMISERS,
    "schedule": SCHEDULES,
    "augment": AUGMENTS,
    "precision": PRECISIONS,
}


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Args:
        epochs: passes over the training split, ≥ 0.
        batch_size: images a step, over all processes together, ≥ 1.
        optimiser: "sgd" (Nesterov) or "adamw".
        learning_rate: at the end of the warm-up, ≥ 0.
        momentum: of sgd, or the first beta of adamw, 0…1.
        weight_decay: on every parameter, ≥ 0.
        schedule: "cosine" to zero, "step" (÷10 at 1/2, 3/4 and 7/8) or "constant".
        warmup: epochs of linear rise from zero, ≥ 0.
        label_smoothing: 0…1.
        distil: share of the loss that is distance from a teacher's answers, 0…1; where a network
            is compressed, the teacher is the network as it came in.
        temperature: by which both divide their logits for that, 0.001…1000.
        precision: "float32", or "bfloat16" for what convolutions and linear layers compute while
            training; weights, loss, optimiser and evaluation stay float32. Faster on processors
            that have instructions for it (AMX, AVX512-BF16) and on GPUs, slower on others.
        augment: "none", "shift" (by up to one pixel) or "crop-mirror" (shift by up to four
            pixels, mirror half).
        seed: of order, augmentation and dropout.

    Raises:
        SpecError: if a number is out of range.
        UnknownNameError: if a name is not known.

    Examples:
        >>> Recipe.from_dict({"epochs": 5, "learning_rate": 0.05}) == Recipe(5, learning_rate=0.05)
        True
    """

    epochs: int = 20
    batch_size: int = 64
    optimiser: str = "sgd"
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    schedule: str = "cosine"
    warmup: float = 1.0
    label_smoothing: float = 0.1
    augment: str = "shift"
    seed: int = 0
    distil: float = 0.0
    temperature: float = 4.0
    precision: str = "float32"

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            whole = isinstance(getattr(type(self), name), int)
            number = isinstance(value, int if whole else int | float)
            if not (
                number and not isinstance(value, bool) and low <= value <= high and value != inf
            ):
                raise SpecError(
                    "out of range", where=f"recipe: {name}", got=value, expected=f"{low}…{high}"
                )
        for name, registry in _NAMES.items():
            registry[getattr(self, name)]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return options_to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Recipe:
        """Rebuild a recipe from `to_dict()`; raises SpecError on unknown or badly typed fields."""
        return options_from_dict(cls, data, where="recipe")
