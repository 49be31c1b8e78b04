"""Between real numbers and codes: rounding into bytes, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llvmlite import ir

from gossamer.compile.kernels.kernel import Kernel, KernelEmitter
from gossamer.compile.kernels.requantise import ROUND_WORD, code_bits, within
from gossamer.jit.dot import integers
from gossamer.jit.emitter import FLOAT, INT32


@dataclass(frozen=True)
class EncodeKernel(Kernel):
    """Real numbers → codes, four channels at once.

    Entry of `quads`: input offsets of four channels, output offset. Entry of `positions`: input
    offset, output offset. `levels` holds the scale, the lowest and the highest level counted from
    zero, and the word of four codes of zero.
    """

    slots: ClassVar[tuple[str, ...]] = (
        "input",
        "output",
        "positions",
        "position_count",
        "quads",
        "levels",
        "quad_shares",
    )

    def label(self) -> str:
        """Return "u8-encode"."""
        return "u8-encode"

    def body(self, emitter: KernelEmitter) -> None:
        """Write: for each quad and position, round four numbers a lane and store them as bytes."""
        e, b = emitter, emitter.builder
        x, y, positions, quads, levels = (
            e.pointer(s) for s in ("input", "output", "positions", "quads", "levels")
        )
        scale, low, high, zero = (e.splat(e.load(FLOAT, levels, 4 * i)) for i in range(4))
        word = b.add(b.bitcast(zero, e.int_vector), integers(e, ROUND_WORD))
        count = e.number("position_count")
        with e.loop(*e.share("quad_shares")) as quad:
            channels = [e.at(x, e.offset_in(quads, quad, stride=20, field=f)) for f in range(4)]
            target = e.at(y, e.offset_in(quads, quad, stride=20, field=4))
            with e.loop(0, count) as position:
                packed, source = word, e.offset_in(positions, position, stride=8)
                for byte, channel in enumerate(channels):
                    value = b.fdiv(e.load_vector(channel, source), scale)
                    packed = b.add(packed, code_bits(e, within(e, value, low, high), byte))
                place = e.at(target, e.offset_in(positions, position, stride=8, field=1))
                e.store_vector(b.bitcast(packed, e.vector), place)


@dataclass(frozen=True)
class DecodeKernel(Kernel):
    """Codes → real numbers, channel by channel.

    Entry of `channels`: input offset of the quad, output offset, 8 · the byte. Entry of
    `positions`: input offset, output offset. `levels` holds the code of zero as an integer, and the
    scale.
    """

    slots: ClassVar[tuple[str, ...]] = (
        "input",
        "output",
        "positions",
        "position_count",
        "channels",
        "levels",
        "channel_shares",
    )

    def label(self) -> str:
        """Return "u8-decode"."""
        return "u8-decode"

    def body(self, emitter: KernelEmitter) -> None:
        """Write: for each channel and position, take a byte of each lane."""
        e, b = emitter, emitter.builder
        x, y, positions, channels, levels = (
            e.pointer(s) for s in ("input", "output", "positions", "channels", "levels")
        )
        zero = b.bitcast(e.splat(e.load(FLOAT, levels)), e.int_vector)
        scale, count = e.splat(e.load(FLOAT, levels, 4)), e.number("position_count")
        with e.loop(*e.share("channel_shares")) as channel:
            entry = e.at(channels, e.multiply(channel, 12))
            source = e.at(x, e.load_offset(entry))
            target = e.at(y, e.load_offset(entry, 4))
            shift = b.bitcast(e.splat(e.load(FLOAT, entry, 8)), e.int_vector)
            with e.loop(0, count) as position:
                at = e.at(source, e.offset_in(positions, position, stride=8))
                word = e.load(e.int_vector, at, align=e.vector_bytes)
                code = b.and_(b.lshr(word, shift), integers(e, 255))
                value = b.fmul(b.sitofp(b.sub(code, zero), e.vector), scale)
                e.store_vector(
                    value, e.at(target, e.offset_in(positions, position, stride=8, field=1))
                )


@dataclass(frozen=True)
class CodePoolKernel(Kernel):
    """The largest code of a window, quad by quad: the code of the largest number.

    Args:
        tile_w: output vectors of a tile.
        stride_w: vectors from one output column to the next in the input.
    """

    tile_w: int
    stride_w: int = 1

    slots: ClassVar[tuple[str, ...]] = (
        "input",
        "output",
        "tiles",
        "tile_count",
        "quads",
        "taps",
        "tap_count",
        "quad_shares",
    )

    def label(self) -> str:
        """Return for example "u8-pool-max-4-s2"."""
        return f"u8-pool-max-{self.tile_w}-s{self.stride_w}"

    def body(self, emitter: KernelEmitter) -> None:
        """Write: for each quad, tile and tap, keep the larger bytes."""
        e, b = emitter, emitter.builder
        x, y, tiles, quads, taps = (
            e.pointer(s) for s in ("input", "output", "tiles", "quads", "taps")
        )
        tile_count, tap_count = e.number("tile_count"), e.number("tap_count")
        kind = ir.VectorType(ir.IntType(8), e.vector_bytes)
        with e.loop(*e.share("quad_shares")) as quad:
            x_quad = e.at(x, e.offset_in(quads, quad, stride=8))
            y_quad = e.at(y, e.offset_in(quads, quad, stride=8, field=1))
            with e.loop(0, tile_count) as tile:
                source = e.at(x_quad, e.offset_in(tiles, tile, stride=12))
                target = e.at(y_quad, e.offset_in(tiles, tile, stride=12, field=1))
                lowest = [ir.Constant(kind, None)] * self.tile_w
                with e.carried_loop(0, tap_count, 1, lowest) as (tap, values, set_next):
                    window = e.at(source, e.offset_in(taps, tap))
                    found = []
                    for v, value in enumerate(values):
                        at = v * self.stride_w * e.vector_bytes
                        codes = e.load(kind, window, at, align=e.vector_bytes)
                        larger = b.icmp_unsigned(">", codes, value)
                        found.append(b.select(larger, codes, value))
                    set_next(found)
                for v, value in enumerate(e.loop_results):
                    e.store(value, target, v * e.vector_bytes, align=e.vector_bytes)


@dataclass(frozen=True)
class CodeMeanKernel(Kernel):
    """The mean of each channel, codes → flat real numbers; sums are exact.

    Entry of `channels`: input offset of the quad, 8 · the byte. `inside` masks what is outside the
    picture. `levels` holds the sum of as many codes of zero as there are pixels, and the factor.
    """

    slots: ClassVar[tuple[str, ...]] = (
        "input",
        "output",
        "positions",
        "position_count",
        "inside",
        "channels",
        "levels",
        "channel_shares",
    )

    def label(self) -> str:
        """Return "u8-plane-mean"."""
        return "u8-plane-mean"

    def body(self, emitter: KernelEmitter) -> None:
        """Write: sum the bytes of a channel, then its lanes."""
        e, b = emitter, emitter.builder
        x, y, positions, inside, channels, levels = (
            e.pointer(s) for s in ("input", "output", "positions", "inside", "channels", "levels")
        )
        count, nothing = e.number("position_count"), ir.Constant(e.int_vector, None)
        with e.loop(*e.share("channel_shares")) as channel:
            entry = e.at(channels, e.multiply(channel, 8))
            source = e.at(x, e.load_offset(entry))
            shift = b.bitcast(e.splat(e.load(FLOAT, entry, 4)), e.int_vector)
            with e.carried_loop(0, count, 1, [nothing]) as (position, (total,), set_next):
                at = e.at(source, e.offset_in(positions, position))
                word = e.load(e.int_vector, at, align=e.vector_bytes)
                code = b.and_(b.lshr(word, shift), integers(e, 255))
                mask = e.load(e.int_vector, inside, e.multiply(position, e.vector_bytes))
                set_next([b.add(total, b.and_(code, mask))])
            whole = b.neg(e.load(INT32, levels))
            for lane in range(e.lanes):
                whole = b.add(whole, b.extract_element(e.loop_results[0], INT32(lane)))
            mean = b.fmul(b.sitofp(whole, FLOAT), e.load(FLOAT, levels, 4))
            e.store(mean, y, e.multiply(channel, 4))
