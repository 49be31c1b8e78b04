"""How many activations are zero, and which multiply-accumulates read such a zero."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from gossamer.compress.contract import Context
from gossamer.compress.evaluating import evaluating
from gossamer.compress.layers import WEIGHTED
from gossamer.compress.prune.criterion import Evidence
from gossamer.compress.quantise.layers import RoundedInput, SignInput
from gossamer.counts import conv2d_macs, linear_macs

_IMAGES = 256


@dataclass(frozen=True)
class ActivationMeasurement:
    """What one convolution or linear layer reads, mean over images.

    Args:
        name: of the module.
        entries: activations that it reads in one image, padding not counted.
        zeros: those that are exactly zero.
        macs: multiply-accumulates, as `gossamer.counts` defines them.
        effective_macs: those whose weight is not zero.
        skippable_macs: those of the effective ones that read an activation that is zero.
    """

    name: str
    entries: int
    zeros: float
    macs: int
    effective_macs: int
    skippable_macs: float

    @property
    def sparsity(self) -> float:
        """Fraction of the activations that are zero, 0…1."""
        return self.zeros / self.entries

    def __str__(self) -> str:
        return (
            f"reads {self.sparsity:.1%} zeros, which {self.skippable_macs:,.0f} of its "
            f"{self.effective_macs:,} effective MACs meet"
        )


@dataclass(frozen=True)
class ActivationReport:
    """All layers of a network that ran.

    Args:
        layers: in the order in which they first run.
    """

    layers: tuple[ActivationMeasurement, ...]

    @property
    def sparsity(self) -> float:
        """Fraction of zeros among all activations that layers read, 0…1."""
        return sum(own.zeros for own in self.layers) / sum(own.entries for own in self.layers)

    @property
    def effective_macs(self) -> int:
        """Multiply-accumulates whose weight is not zero."""
        return sum(own.effective_macs for own in self.layers)

    @property
    def skippable_macs(self) -> float:
        """Those of them that read an activation that is zero."""
        return sum(own.skippable_macs for own in self.layers)

    def numbers(self) -> dict[str, float]:
        """Return what the ledger of a compression says of it."""
        share = self.skippable_macs / self.effective_macs if self.effective_macs else 0.0
        return {
            "activation_sparsity": self.sparsity,
            "skippable_macs": self.skippable_macs,
            "skippable_fraction_of_effective_macs": share,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        layers = [asdict(own) | {"sparsity": own.sparsity} for own in self.layers]
        return {**self.numbers(), "effective_macs": self.effective_macs, "layers": layers}


def measure_activations(model: nn.Module, batches: Tensor | Iterable[Tensor]) -> ActivationReport:
    """Count the zeros that convolutions and linear layers read, and the MACs that they let skip.

    A MAC can be skipped if its weight is not zero (else it is skipped anyway) and its activation
    is: for every zero activation, those nonzero weights that read it. Padding is no activation.

    Args:
        model: in evaluation mode while it is measured; left as it was.
        batches: images (N, C, H, W), or several batches of them.

    Examples:
        >>> model = nn.Sequential(nn.ReLU(), nn.Linear(4, 3))
        >>> report = measure_activations(model, torch.tensor([[1.0, -1.0, 2.0, -2.0]]))
        >>> report.sparsity, report.skippable_macs
        (0.5, 6.0)
    """
    sums: dict[str, list[float]] = {}
    images = 0
    layers = {name: m for name, m in model.named_modules() if isinstance(m, WEIGHTED)}
    hooks = [
        layer.register_forward_hook(partial(_count, sums, name)) for name, layer in layers.items()
    ]
    try:
        with evaluating(model), torch.no_grad():
            for batch in [batches] if isinstance(batches, Tensor) else batches:
                model(batch)
                images += len(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return ActivationReport(tuple(_record(n, layers[n], sums[n], images) for n in sums))


def _count(
    sums: dict[str, list[float]], name: str, layer: Any, args: tuple[Any, ...], out: Tensor
) -> None:
    """Add what one call of a layer reads: entries, zeros, MACs that meet them, weight uses."""
    x = args[0].detach()
    if isinstance(layer, RoundedInput | SignInput):
        x = layer.read(x)  # type: ignore[operator]
    zeros = (x == 0).float()
    weights = (layer.weight.detach() != 0).float()  # type: ignore[operator]
    if isinstance(layer, nn.Conv2d):
        same: Any = (layer.stride, layer.padding, layer.dilation, layer.groups)
        skipped = conv2d(zeros, weights, None, *same).double().sum()
        macs = conv2d_macs(tuple(weights.shape), out.shape[2:])
    else:
        skipped = (zeros.double().flatten(0, -2).sum(0) * weights.double().sum(0)).sum()
        macs = linear_macs(tuple(weights.shape)) * (out[0].numel() // out.shape[-1])
    own = (x.numel(), float(zeros.double().sum()), float(skipped), macs * len(x))
    sums[name] = [a + b for a, b in zip(sums.get(name, [0.0] * 4), own, strict=True)]


def _record(name: str, layer: Any, sums: list[float], images: int) -> ActivationMeasurement:
    entries, zeros, skipped, macs = sums
    size = layer.weight.numel()
    nonzeros = int(layer.weight.detach().count_nonzero())
    return ActivationMeasurement(
        name=name,
        entries=round(entries / images),
        zeros=zeros / images,
        macs=round(macs / images),
        effective_macs=round(macs / images) // size * nonzeros,
        skippable_macs=skipped / images,
    )


def tell_activations(model: nn.Module, context: Context) -> None:
    """Tell the ledger what layers read: numbers of the whole network, a sentence a layer.

    Of some training pictures, or of the example without data.
    """
    batches: Tensor | Iterable[Tensor] = context.example_inputs
    if context.data is not None:
        evidence = Evidence(model, context.data.train, _IMAGES, seed=context.seed)
        batches = (images for images, _ in evidence.batches())
    report = measure_activations(model, batches)
    for key, number in report.numbers().items():
        context.tell(key, number)
    for layer in report.layers:
        context.tell(layer.name, str(layer))
