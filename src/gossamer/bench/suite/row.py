"""One row of the suite: a network, where its zeros are, and how much faster it has to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

from gossamer.errors import SpecError

RIVALS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "fp32": ("onnxruntime", "openvino"),
        "int8": ("onnxruntime-int8", "openvino-int8"),
        "deepsparse": ("deepsparse",),
        "mnn": ("mnn",),
    }
)
"""Kind of rival → engines; a multiple is against the fastest of a kind."""

_CHOICES = {
    "pattern": {"unstructured": "", "blocks": " in 4×1 blocks", "runs": " in 1×4 blocks"},
    "allocation": {"uniform": "", "erk": ", ERK", "global": ", global"},
    "pruned": {"all": "", "pointwise": " of the pointwise weights"},
    "precision": {"float32": "", "int8": " int8"},
}


@dataclass(frozen=True)
class Asked:
    """How many times faster than the best rival of each kind; None where nothing is asked."""

    fp32: float | None = None
    int8: float | None = None
    deepsparse: float | None = None
    mnn: float | None = None


@dataclass(frozen=True)
class Row:
    """A network to measure, batch 1.

    Args:
        network: a key of `gossamer.nets.registry.NETWORKS`.
        sparsity: fraction of zeros in the pruned layers, 0 ≤ sparsity < 1.
        pattern: "unstructured", "blocks" of four output channels, or "runs" of four input channels.
        allocation: "uniform" over the layers, "erk", or "global" (by magnitude over all layers).
        pruned: "all" convolution and linear layers, or only "pointwise" (1×1) convolutions. The
            first layer and depthwise layers stay dense either way.
        precision: of our runtime, "float32" or "int8".
        size: rows and columns of pictures; 0 for those that the network was made for.
        weights: file of trained weights in the data folder; random weights if empty.
        asked: threads → multiples to reach.

    Raises:
        SpecError: if a value is out of range.
    """

    network: str
    sparsity: float = 0.0
    pattern: str = "unstructured"
    allocation: str = "uniform"
    pruned: str = "all"
    precision: str = "float32"
    weights: str = ""
    size: int = 0
    asked: Mapping[int, Asked] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "asked", MappingProxyType(dict(self.asked)))
        if not 0 <= self.sparsity < 1:
            raise SpecError("sparsity is out of range", got=self.sparsity, expected="0 ≤ … < 1")
        for name, choices in _CHOICES.items():
            if (value := getattr(self, name)) not in choices:
                raise SpecError(f"unknown {name}", got=value, expected=" or ".join(choices))
        if self.size < 0:
            raise SpecError("size is out of range", got=self.size, expected="≥ 1, or 0")

    @property
    def subject(self) -> str:
        """The network, with the size of its pictures if that is not its own."""
        return f"{self.network} at {self.size}" if self.size else self.network

    @property
    def name(self) -> str:
        """What people call it, different for each row.

        Examples:
            >>> Row("resnet-50", 0.9, pattern="blocks").name
            'resnet-50, 90 % in 4×1 blocks'
            >>> Row("resnet-50").name
            'resnet-50, dense'
            >>> Row("resnet-50", size=448).name
            'resnet-50 at 448, dense'
        """
        trained = ", trained" if self.weights else ""
        zeros = f"{self.sparsity:.0%}".replace("%", " %") if self.sparsity else "dense"
        suffixes = "".join(choices[getattr(self, name)] for name, choices in _CHOICES.items())
        return f"{self.subject}{trained}, {zeros}{suffixes}"

    def to_dict(self) -> dict[str, Any]:
        """Return what is to be measured, without what is asked, as plain data for JSON."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "asked"}
