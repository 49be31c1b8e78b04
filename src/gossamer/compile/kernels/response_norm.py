"""Local response normalisation over neighbouring channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gossamer.compile.kernels.kernel import Kernel, KernelEmitter
from gossamer.jit.emitter import FLOAT, Value


@dataclass(frozen=True)
class ResponseNormKernel(Kernel):
    """y = x / (k + factor · Σ x²)^beta, the sum over a range of channels.

    Args:
        beta: the power.

    Entry of `channels`: input offset, output offset, first and one past the last index into
    `neighbours`, which holds the input offset of every channel. `terms` holds k and the factor.
    """

    beta: float

    slots: ClassVar[tuple[str, ...]] = (
        "input",
        "output",
        "channels",
        "neighbours",
        "positions",
        "position_count",
        "terms",
        "channel_shares",
    )

    def label(self) -> str:
        """Return for example "f32-response-norm-0.75"."""
        return f"f32-response-norm-{self.beta!r}"

    def body(self, emitter: KernelEmitter) -> None:
        """Write: for each channel and position, sum the squares of the neighbours."""
        e = emitter
        x, y, channels, neighbours, positions, terms = (
            e.pointer(s)
            for s in ("input", "output", "channels", "neighbours", "positions", "terms")
        )
        count = e.number("position_count")
        with e.loop(*e.share("channel_shares")) as channel:
            x_channel, y_channel, first, last = (
                e.offset_in(channels, channel, stride=16, field=f) for f in range(4)
            )
            with e.loop(0, count) as position:
                source = e.at(x, e.offset_in(positions, position, stride=8))
                target = e.at(y, e.offset_in(positions, position, stride=8, field=1))
                zero = e.constant(0.0)
                with e.carried_loop(first, last, 1, [zero]) as (neighbour, (total,), set_next):
                    value = e.load_vector(e.at(source, e.offset_in(neighbours, neighbour)))
                    set_next([e.fma(value, value, total)])
                k, factor = (e.splat(e.load(FLOAT, terms, 4 * i)) for i in (0, 1))
                base = e.fma(factor, e.loop_results[0], k)
                value = e.load_vector(e.at(source, x_channel))
                e.store_vector(e.builder.fdiv(value, self._power(e, base)), e.at(target, y_channel))

    def _power(self, e: KernelEmitter, base: Value) -> Value:
        """Return base^beta; the usual 3/4 by two square roots."""
        if self.beta == 0.75:
            root = _square_root(e, base)
            return e.builder.fmul(root, _square_root(e, root))
        return e.intrinsic(f"llvm.pow.v{e.lanes}f32", e.vector, [base, e.constant(self.beta)])


def _square_root(e: KernelEmitter, x: Value) -> Value:
    return e.intrinsic(f"llvm.sqrt.v{e.lanes}f32", e.vector, [x])
