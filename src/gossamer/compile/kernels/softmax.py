"""Softmax along channels, on flat memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llvmlite import ir

from gossamer.compile.kernels.exponential import exp
from gossamer.compile.kernels.kernel import Kernel, KernelEmitter
from gossamer.jit.emitter import DOUBLE, FLOAT


@dataclass(frozen=True)
class SoftmaxKernel(Kernel):
    """y = exp(x − max) over its sum, for each pixel of (C, pixels) floats."""

    slots: ClassVar[tuple[str, ...]] = (
        "input",
        "output",
        "channel_count",
        "channel_bytes",
        "pixel_shares",
    )

    def label(self) -> str:
        """Return "f32-softmax"."""
        return "f32-softmax"

    def body(self, emitter: KernelEmitter) -> None:
        """Write: for each pixel, find the largest, sum the exponentials, divide."""
        e, b = emitter, emitter.builder
        x, y = e.pointer("input"), e.pointer("output")
        count, step = e.number("channel_count"), e.number("channel_bytes")
        with e.loop(*e.share("pixel_shares")) as pixel:
            source, target = (e.at(p, e.multiply(pixel, 4)) for p in (x, y))
            first = e.load(FLOAT, source)
            with e.carried_loop(1, count, 1, [first]) as (channel, (largest,), set_next):
                set_next([e.larger(largest, e.load(FLOAT, source, e.multiply(channel, step)))])
            (largest,) = e.loop_results
            # In float32, thousands of like addends leave an error of 1e-4: all round the same way.
            zero = ir.Constant(DOUBLE, 0.0)
            with e.carried_loop(0, count, 1, [zero]) as (channel, (total,), set_next):
                at = e.multiply(channel, step)
                power = exp(e, b.fsub(e.load(FLOAT, source, at), largest))
                e.store(power, target, at)
                set_next([b.fadd(total, b.fpext(power, DOUBLE))])
            total = b.fptrunc(e.loop_results[0], FLOAT)
            with e.loop(0, count) as channel:
                at = e.multiply(channel, step)
                e.store(b.fdiv(e.load(FLOAT, target, at), total), target, at)
