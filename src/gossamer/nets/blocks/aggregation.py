"""A stage whose layers read several earlier ones: dense or sparse, by sum or by concatenation.

With dense sources and concatenation it is DenseNet's block, with dense sources and sums a residual
network, with sparse sources SparseNet. What no later layer reads is released as soon as it has been
read for the last time.

Source: Zhu et al., "Sparsely Aggregated Convolutional Networks", 2018.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import reduce
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from gossamer.errors import SpecError
from gossamer.nets.connectivity.aggregation import Sources, last_readers

Join = Literal["sum", "concat"]
Live = dict[int, Tensor]


class Aggregation(nn.Module):
    """Layers y_l = F_l(A(y_s for s in sources(l))), l = 1 … n; gives A at a layer n + 1.

    Args:
        units: F_1 … F_n, each from (N, C_l, H, W) to (N, K_l, H, W); called unit1, unit2, …
        sources: which layers a layer reads, as in `gossamer.nets.connectivity.aggregation`.
        join: A; "concat" along the channels in the order of the sources, or "sum".
        name: of the units, without their number.
        entry: makes y_0 of the input, which F_1 then reads itself; without it y_0 is the input.
        pool_before: layers before which all that is still to be read passes a 2×2 average pool.
        checkpoint: in training, keep only what crosses from one segment of so many layers to the
            next and compute the rest again in the backward pass; 0: keep all. The results are the
            same, running statistics included.

    Raises:
        SpecError: if there is no unit, or an option is out of range.

    Examples:
        >>> from gossamer.nets.connectivity.aggregation import sparse_sources
        >>> units = [nn.Conv2d(c, 4, 1) for c in (6, 10, 8)]
        >>> Aggregation(units, sparse_sources)(torch.zeros(1, 6, 5, 5)).shape
        torch.Size([1, 14, 5, 5])
    """

    def __init__(
        self,
        units: Iterable[nn.Module],
        sources: Sources,
        *,
        join: Join = "concat",
        name: str = "unit",
        entry: nn.Module | None = None,
        pool_before: Collection[int] = (),
        checkpoint: int = 0,
    ) -> None:
        super().__init__()
        self.layers, self.name, self.entry = 0, name, entry
        for self.layers, unit in enumerate(units, 1):
            self.add_module(f"{name}{self.layers}", unit)
        if self.layers < 1 or checkpoint < 0 or join not in ("sum", "concat"):
            got = f"{self.layers} units, join {join!r}, checkpoint {checkpoint}"
            raise SpecError("not an aggregation", where="Aggregation", got=got)
        self.sources = [sources(layer) for layer in range(1, self.layers + 2)]
        self.last = last_readers(self.layers, sources)
        self.join, self.pool_before, self.checkpoint = join, frozenset(pool_before), checkpoint

    def forward(self, x: Tensor) -> Tensor:
        """Return the aggregation at layer n + 1: (N, C, H, W), smaller where there were pools."""
        start = 1
        live = {0: x}
        if self.entry is not None:
            live = {0: self.entry(x), 1: self._unit(1)(x)}
            start = 2
        del x
        recompute = self.checkpoint if self.training and torch.is_grad_enabled() else 0
        segment = recompute or self.layers
        for first in range(start, self.layers + 1, segment):
            last = min(first + segment - 1, self.layers)
            if recompute:
                live = self._recomputed(first, last, live)
            else:
                live = self._run(first, last, live)
        return self._joined(self.layers + 1, live)

    def _unit(self, layer: int) -> nn.Module:
        return self.get_submodule(f"{self.name}{layer}")

    def _run(self, first: int, last: int, live: Live) -> Live:
        """Return what is still to be read after the layers first … last."""
        live = dict(live)  # a segment that runs again needs its inputs as they were
        for layer in range(first, last + 1):
            if layer in self.pool_before:
                live = {made: nn.functional.avg_pool2d(y, 2) for made, y in live.items()}
            y = self._unit(layer)(self._joined(layer, live))
            live = {made: y for made, y in live.items() if self.last[made] > layer}
            live[layer] = y
            del y
        return live

    def _joined(self, layer: int, live: Live) -> Tensor:
        read = [live[source] for source in self.sources[layer - 1]]
        if len(read) == 1:
            return read[0]
        if self.join == "sum":
            return reduce(torch.add, read)
        return _concat(read) if read[0].requires_grad else torch.cat(read, 1)

    def _recomputed(self, first: int, last: int, live: Live) -> Any:
        units = [self._unit(layer) for layer in range(first, last + 1)]

        def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
            return nullcontext(), frozen_statistics(units)

        return checkpoint(self._run, first, last, live, use_reentrant=False, context_fn=contexts)

    def extra_repr(self) -> str:
        """Show the pattern by its number of links."""
        links = sum(len(sources) for sources in self.sources[:-1])
        return f"join={self.join!r}, layers={self.layers}, links={links}"


@contextmanager
def frozen_statistics(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Within, batch norms in training mode leave their running statistics as they are.

    A forward pass that is only repeated for its gradient must not move them a second time.
    """
    layers = [layer for module in modules for layer in module.modules()]
    norms = [layer for layer in layers if isinstance(layer, nn.BatchNorm2d)]
    kept = [(norm, norm.momentum, norm.num_batches_tracked) for norm in norms]
    try:
        for norm, _, batches in kept:
            norm.momentum = 0.0
            norm.num_batches_tracked = None if batches is None else batches.clone()
        yield
    finally:
        for norm, momentum, batches in kept:
            norm.momentum, norm.num_batches_tracked = momentum, batches


class _Concat(torch.autograd.Function):
    """Concatenation of channels whose gradients are tensors of their own.

    The gradients of `torch.cat` are views of one tensor, which would stay whole until the oldest
    source has collected its gradient: half a stage of them in a sparse pattern.
    """

    @staticmethod
    def forward(ctx: Any, *read: Tensor) -> Tensor:
        ctx.widths = [y.shape[1] for y in read]
        return torch.cat(read, 1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, ...]:
        return tuple(part.clone() for part in grads[0].split(ctx.widths, 1))


def _concat(read: Sequence[Tensor]) -> Tensor:
    return _Concat.apply(*read)  # pyright: ignore[reportReturnType]


def concat_stage(
    in_channels: int,
    growths: Sequence[int],
    sources: Sources,
    unit: Callable[[int, int], nn.Module],
    **options: Any,
) -> tuple[Aggregation, int]:
    """Return a concatenating stage with units of the right widths, and its output's channels.

    Args:
        in_channels: C of y_0.
        growths: channels that each unit adds, one number a unit.
        sources: which layers a layer reads.
        unit: from (C, K) to a module from (N, C, H, W) to (N, K, H, W).
        **options: of `Aggregation`.

    Examples:
        >>> from gossamer.nets.connectivity.aggregation import dense_sources
        >>> stage, width = concat_stage(8, [4, 4], dense_sources, lambda c, k: nn.Conv2d(c, k, 1))
        >>> width, stage(torch.zeros(1, 8, 5, 5)).shape[1]
        (16, 16)
    """
    widths = [in_channels, *growths]

    def width(layer: int) -> int:
        return sum(widths[source] for source in sources(layer))

    units = [unit(width(layer), growth) for layer, growth in enumerate(growths, 1)]
    return Aggregation(units, sources, join="concat", **options), width(len(widths))
