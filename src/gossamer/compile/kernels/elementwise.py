"""Sums, activations, scale and shift, and copies, entry by entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llvmlite import ir

from gossamer.compile.kernels.activation import activate, cut
from gossamer.compile.kernels.kernel import Kernel, KernelEmitter
from gossamer.compile.kernels.rounding import to_levels
from gossamer.jit.emitter import FLOAT, Value


@dataclass(frozen=True)
class ElementwiseKernel(Kernel):
    """y = activation(f(a, b)) for each vector of each channel.

    Args:
        function: "copy" (a), "zero", "add" (a + b), "multiply" (a · b), "gate" (a · scale of the
            channel), "gate_add" (a · scale of the channel + b), "scale_shift" (a · scale + shift of
            the channel), "threshold" (a where it is above the scale of the channel, else 0) or
            "quantise" (`scales` holds the scale of the levels, the lowest and the highest).
        activation: applied before the store.
    """

    function: str
    activation: str = "identity"

    slots: ClassVar[tuple[str, ...]] = (
        "a",
        "b",
        "output",
        "channels",
        "positions",
        "position_count",
        "scales",
        "shifts",
        "channel_shares",
    )

    def label(self) -> str:
        """Return for example "f32-add-relu"."""
        return f"f32-{self.function}-{self.activation}"

    def body(self, emitter: KernelEmitter) -> None:
        """Write: for each channel and position, combine."""
        e = emitter
        pointers = [e.pointer(slot) for slot in ("a", "b", "output")]
        channels, positions, count = (
            e.pointer("channels"),
            e.pointer("positions"),
            e.number("position_count"),
        )
        scales, shifts = e.pointer("scales"), e.pointer("shifts")
        with e.loop(*e.share("channel_shares")) as channel:
            a, b, y = (
                e.at(pointer, e.offset_in(channels, channel, stride=12, field=f))
                for f, pointer in enumerate(pointers)
            )
            with e.loop(0, count) as position:
                value = e.load_vector(e.at(a, e.offset_in(positions, position, stride=12)))
                if self.function in ("add", "multiply", "gate_add"):
                    other = e.load_vector(
                        e.at(b, e.offset_in(positions, position, stride=12, field=1))
                    )
                    if self.function == "gate_add":
                        scale = e.splat(e.load(FLOAT, scales, e.multiply(channel, 4)))
                        value = e.fma(value, scale, other)
                    else:
                        value = _combine(e, self.function, value, other)
                elif self.function in ("gate", "scale_shift"):
                    at_channel = e.multiply(channel, 4)
                    scale = e.splat(e.load(FLOAT, scales, at_channel))
                    value = (
                        e.builder.fmul(value, scale)
                        if self.function == "gate"
                        else e.fma(value, scale, e.splat(e.load(FLOAT, shifts, at_channel)))
                    )
                elif self.function == "threshold":
                    limit = e.load(FLOAT, scales, e.multiply(channel, 4))
                    value = cut(e, value, e.splat(limit))
                elif self.function == "zero":
                    value = e.constant(0.0)
                elif self.function == "quantise":
                    levels = [e.splat(e.load(FLOAT, scales, 4 * i)) for i in range(3)]
                    value = to_levels(e, value, *levels)
                value = activate(e, value, self.activation)
                e.store_vector(value, e.at(y, e.offset_in(positions, position, stride=12, field=2)))


@dataclass(frozen=True)
class FlatKernel(Kernel):
    """The same for flat vectors, float by float, at any alignment.

    Args:
        function: "copy", "zero", "add", "multiply", "scale_shift" or "threshold" (one scale and
            shift an entry) or "quantise".
        activation: applied before the store.
    """

    function: str
    activation: str = "identity"

    slots: ClassVar[tuple[str, ...]] = ("a", "b", "output", "scales", "shifts", "entry_shares")

    def label(self) -> str:
        """Return for example "f32-flat-add-relu"."""
        return f"f32-flat-{self.function}-{self.activation}"

    def body(self, emitter: KernelEmitter) -> None:
        """Write: for each entry, combine."""
        e = emitter
        a, b, y = (e.pointer(slot) for slot in ("a", "b", "output"))
        scales, shifts = e.pointer("scales"), e.pointer("shifts")
        with e.loop(*e.share("entry_shares")) as entry:
            offset = e.multiply(entry, 4)
            value = e.load(FLOAT, a, offset)
            if self.function in ("add", "multiply"):
                value = _combine(e, self.function, value, e.load(FLOAT, b, offset))
            elif self.function == "zero":
                value = ir.Constant(FLOAT, 0.0)
            elif self.function == "scale_shift":
                value = e.fma(value, e.load(FLOAT, scales, offset), e.load(FLOAT, shifts, offset))
            elif self.function == "threshold":
                value = cut(e, value, e.load(FLOAT, scales, offset))
            elif self.function == "quantise":
                value = to_levels(e, value, *(e.load(FLOAT, scales, 4 * i) for i in range(3)))
            e.store(activate(e, value, self.activation), y, offset)


def _combine(e: KernelEmitter, function: str, a: Value, b: Value) -> Value:
    return e.builder.fadd(a, b) if function == "add" else e.builder.fmul(a, b)
