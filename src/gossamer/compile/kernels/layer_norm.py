"""Layer normalisation over the channels of each pixel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from gossamer.compile.kernels.kernel import Kernel, KernelEmitter
from gossamer.jit.emitter import FLOAT, Value

_SUMS = 4
"""Added up side by side, so that no addition waits for the one before."""


@dataclass(frozen=True)
class LayerNormKernel(Kernel):
    """y = (x − mean) / √(variance + ε) · scale + shift, over all channels at each position.

    Args:
        flat: whether a position is a single float, not a vector of them.

    Entry of `channels` and of `positions`: input offset, output offset. `terms` holds ε and one
    over the number of channels. The variance is of differences from the mean: the mean of squares
    less the square of the mean would cancel.
    """

    flat: bool = False

    slots: ClassVar[tuple[str, ...]] = (
        "input",
        "output",
        "channels",
        "channel_count",
        "positions",
        "scales",
        "shifts",
        "terms",
        "position_shares",
    )

    def label(self) -> str:
        """Return "f32-layer-norm", or "f32-flat-layer-norm"."""
        return "f32-flat-layer-norm" if self.flat else "f32-layer-norm"

    def body(self, emitter: KernelEmitter) -> None:
        """Write: at each position, find mean and variance over the channels, and normalise."""
        e, b = emitter, emitter.builder
        x, y, channels, positions, scales, shifts, terms = (
            e.pointer(slot)
            for slot in ("input", "output", "channels", "positions", "scales", "shifts", "terms")
        )
        count = e.number("channel_count")
        epsilon, share = (self._splat(e, e.load(FLOAT, terms, 4 * i)) for i in (0, 1))
        with e.loop(*e.share("position_shares")) as position:
            source = e.at(x, e.offset_in(positions, position, stride=8))
            target = e.at(y, e.offset_in(positions, position, stride=8, field=1))

            def value_of(channel: Value, source: Value = source) -> Value:
                at = e.at(source, e.offset_in(channels, channel, stride=8))
                return e.load(FLOAT, at) if self.flat else e.load_vector(at)

            total = self._sum(e, count, lambda sum_, c: b.fadd(sum_, value_of(c)))
            mean = b.fmul(total, share)

            def add_square(sum_: Value, channel: Value, mean: Value = mean) -> Value:
                difference = b.fsub(value_of(channel), mean)
                return e.fma(difference, difference, sum_)

            variance = e.fma(self._sum(e, count, add_square), share, epsilon)
            suffix = "f32" if self.flat else f"v{e.lanes}f32"
            root = e.intrinsic(f"llvm.sqrt.{suffix}", variance.type, [variance])
            factor = b.fdiv(self._number(e, 1.0), root)
            with e.loop(0, count) as channel:
                at_channel = e.multiply(channel, 4)
                scale, shift = (
                    self._splat(e, e.load(FLOAT, p, at_channel)) for p in (scales, shifts)
                )
                value = b.fmul(b.fsub(value_of(channel), mean), factor)
                at = e.at(target, e.offset_in(channels, channel, stride=8, field=1))
                store = e.store if self.flat else e.store_vector
                store(e.fma(value, scale, shift), at)

    def _sum(self, e: KernelEmitter, count: Value, add: Callable[[Value, Value], Value]) -> Value:
        """Return what `add` makes of zero and all channels, in turns of several sums."""
        b, whole = e.builder, e.builder.and_(count, e.integer(-_SUMS))
        start = [self._number(e, 0.0)] * _SUMS
        with e.carried_loop(0, whole, _SUMS, start) as (first, sums, set_next):
            set_next([add(total, e.add(first, i)) for i, total in enumerate(sums)])
        total, *others = e.loop_results
        for other in others:
            total = b.fadd(total, other)
        with e.carried_loop(whole, count, 1, [total]) as (channel, (total,), set_next):
            set_next([add(total, channel)])
        return e.loop_results[0]

    def _number(self, e: KernelEmitter, value: float) -> Value:
        return FLOAT(value) if self.flat else e.constant(value)

    def _splat(self, e: KernelEmitter, value: Value) -> Value:
        return value if self.flat else e.splat(value)
