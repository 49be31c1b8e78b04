"""Moving activations: into planes, out of them, and filling their halo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gossamer.compile.kernels.kernel import Kernel, KernelEmitter
from gossamer.jit.emitter import FLOAT


@dataclass(frozen=True)
class GatherKernel(Kernel):
    """Anything → planes: each lane is read from an address of its own.

    `sources` holds, for each position and lane, a byte offset in a channel, or −1 for zero.
    """

    slots: ClassVar[tuple[str, ...]] = (
        "input",
        "output",
        "positions",
        "position_count",
        "sources",
        "channels",
        "channel_shares",
    )

    def label(self) -> str:
        """Return "f32-gather"."""
        return "f32-gather"

    def body(self, emitter: KernelEmitter) -> None:
        """Write: for each channel and position, read the lanes, store one vector."""
        e = emitter
        x, y, positions, sources, channels = (
            e.pointer(s) for s in ("input", "output", "positions", "sources", "channels")
        )
        count = e.number("position_count")
        with e.loop(*e.share("channel_shares")) as channel:
            source = e.at(x, e.offset_in(channels, channel, stride=8))
            target = e.at(y, e.offset_in(channels, channel, stride=8, field=1))
            with e.loop(0, count) as position:
                offsets = e.load(e.int_vector, sources, e.multiply(position, e.vector_bytes))
                e.store_vector(
                    e.gather(source, offsets), e.at(target, e.offset_in(positions, position))
                )


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
        """Write: for each move and channel, read unaligned, mask, store."""
        e = emitter
        planes, moves, inside, channels = (
            e.pointer(s) for s in ("planes", "moves", "inside", "channels")
        )
        fill = e.splat(e.load(FLOAT, e.pointer("fill")))
        begin, end = e.share("channel_shares")
        with e.loop(0, e.number("move_count")) as move:
            target = e.at(planes, e.offset_in(moves, move, stride=8))
            source = e.at(planes, e.offset_in(moves, move, stride=8, field=1))
            mask = e.nonzero(e.load(e.int_vector, inside, e.multiply(move, e.vector_bytes)))
            with e.loop(begin, end) as channel:
                offset = e.offset_in(channels, channel)
                value = e.builder.select(mask, e.load(e.vector, e.at(source, offset)), fill)
                e.store_vector(value, e.at(target, offset))
