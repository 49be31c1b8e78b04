"""Moving activations: flat ↔ planes, and filling the halo of planes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llvmlite import ir

from gossamer.compile.kernels.kernel import Kernel, KernelEmitter
from gossamer.jit.emitter import FLOAT


@dataclass(frozen=True)
class PackKernel(Kernel):
    """Flat (C, H, W) → planes. `pixels` holds, for each position and lane, the pixel or −1."""

    slots: ClassVar[tuple[str, ...]] = (
        "input",
        "output",
        "positions",
        "position_count",
        "pixels",
        "channels",
        "plane_bytes",
        "channel_shares",
    )

    def label(self) -> str:
        """Return "f32-pack"."""
        return "f32-pack"

    def body(self, emitter: KernelEmitter) -> None:
        """Write: for each channel, position and lane, read one pixel."""
        e, b = emitter, emitter.builder
        x, y, positions, pixels = (e.pointer(s) for s in ("input", "output", "positions", "pixels"))
        channels, count, plane_bytes = (
            e.pointer("channels"),
            e.number("position_count"),
            e.number("plane_bytes"),
        )
        with e.loop(*e.share("channel_shares")) as channel:
            source = e.at(x, e.multiply(channel, plane_bytes))
            target = e.at(y, e.offset_in(channels, channel))
            with e.loop(0, count) as position:
                vector = e.at(target, e.offset_in(positions, position))
                row = e.at(pixels, e.multiply(position, e.vector_bytes))
                with e.loop(0, e.lanes) as lane:
                    pixel = e.offset_in(row, lane)
                    inside = b.icmp_signed(">=", pixel, e.integer(0))
                    safe = b.select(inside, pixel, e.integer(0))
                    value = b.select(
                        inside, e.load(FLOAT, source, e.multiply(safe, 4)), ir.Constant(FLOAT, 0.0)
                    )
                    e.store(value, vector, e.multiply(lane, 4))


@dataclass(frozen=True)
class UnpackKernel(Kernel):
    """Planes → flat (C, H, W). `pixels` holds the byte offset of each pixel."""

    slots: ClassVar[tuple[str, ...]] = (
        "input",
        "output",
        "pixels",
        "pixel_count",
        "channels",
        "channel_shares",
    )

    def label(self) -> str:
        """Return "f32-unpack"."""
        return "f32-unpack"

    def body(self, emitter: KernelEmitter) -> None:
        """Write: for each channel and pixel, copy."""
        e = emitter
        x, y, pixels, channels = (e.pointer(s) for s in ("input", "output", "pixels", "channels"))
        count = e.number("pixel_count")
        with e.loop(*e.share("channel_shares")) as channel:
            source = e.at(x, e.offset_in(channels, channel))
            target = e.at(y, e.multiply(e.multiply(channel, count), 4))
            with e.loop(0, count) as pixel:
                value = e.load(FLOAT, e.at(source, e.offset_in(pixels, pixel)))
                e.store(value, target, e.multiply(pixel, 4))


@dataclass(frozen=True)
class HaloKernel(Kernel):
    """Fill what lies outside each tile: the neighbouring lane's pixels, or the fill value.

    The vector read may start in the middle of another one: that is the shift of lanes.
    """

    slots: ClassVar[tuple[str, ...]] = (
        "planes",
        "moves",
        "move_count",
        "inside",
        "channels",
        "fill",
        "channel_shares",
    )

    def label(self) -> str:
        """Return "f32-halo"."""
        return "f32-halo"

    def body(self, emitter: KernelEmitter) -> None:
        """Write: for each channel and move, read unaligned, mask, store."""
        e = emitter
        planes, moves, inside, channels = (
            e.pointer(s) for s in ("planes", "moves", "inside", "channels")
        )
        count = e.number("move_count")
        fill = e.splat(e.load(FLOAT, e.pointer("fill")))
        with e.loop(*e.share("channel_shares")) as channel:
            plane = e.at(planes, e.offset_in(channels, channel))
            with e.loop(0, count) as move:
                target = e.at(plane, e.offset_in(moves, move, stride=8))
                source = e.at(plane, e.offset_in(moves, move, stride=8, field=1))
                mask = e.load(e.int_vector, inside, e.multiply(move, e.vector_bytes))
                e.store_vector(e.select_nonzero(mask, e.load(e.vector, source), fill), target)
