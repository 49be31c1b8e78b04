"""Moves that read whole vectors: rows of pixels into planes, and planes into other tiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gossamer.compile.kernels.kernel import Kernel, KernelEmitter
from gossamer.jit.emitter import Value

TOGETHER = 4
"""Channels moved with one reading of the table."""


@dataclass(frozen=True)
class RelayoutKernel(Kernel):
    """Lanes of up to `sources` vectors become one; what has no source becomes zero.

    `vectors` holds, for each position, the byte offsets of the vectors in a channel; `lanes`, for
    each of them, which of its lanes each lane is, or −1. Each thread has `TOGETHER` channels or
    more.

    Args:
        sources: vectors that one is put together from, ≥ 1.
    """

    sources: int

    slots: ClassVar[tuple[str, ...]] = (
        "input",
        "output",
        "positions",
        "position_count",
        "vectors",
        "lanes",
        "channels",
        "channel_shares",
    )

    def label(self) -> str:
        """Return for example "f32-relayout-4"."""
        return f"f32-relayout-{self.sources}"

    def body(self, emitter: KernelEmitter) -> None:
        """Write: for some channels and each position, permute, join, store."""
        e = emitter
        x, y, positions, channels = (
            e.pointer(s) for s in ("input", "output", "positions", "channels")
        )
        begin, end = e.share("channel_shares")
        last = e.add(end, -TOGETHER)
        with e.loop(begin, end, TOGETHER) as next_channel:
            first = e.minimum(next_channel, last)  # the last ones may be moved twice
            offsets = [
                [e.offset_in(channels, e.add(first, c), stride=8, field=f) for f in (0, 1)]
                for c in range(TOGETHER)
            ]
            with e.loop(0, e.number("position_count")) as position:
                parts = self._parts(e, position)
                target = e.at(y, e.offset_in(positions, position))
                for source_offset, target_offset in offsets:
                    joined = self._join(e, e.at(x, source_offset), parts)
                    e.store_vector(joined, e.at(target, target_offset))

    def _parts(self, e: KernelEmitter, position: Value) -> list[tuple[Value, Value]]:
        """Return what a position is put together from: offsets of vectors, and their lanes."""
        entry = e.multiply(position, self.sources)
        vectors = e.at(e.pointer("vectors"), e.multiply(entry, 4))
        lanes = e.at(e.pointer("lanes"), e.multiply(entry, e.vector_bytes))
        return [
            (e.load_offset(vectors, 4 * s), e.load(e.int_vector, lanes, s * e.vector_bytes))
            for s in range(self.sources)
        ]

    def _join(self, e: KernelEmitter, channel: Value, parts: list[tuple[Value, Value]]) -> Value:
        b, joined = e.builder, None
        for offset, lanes in parts:
            moved = b.bitcast(e.permute(e.load_vector(channel, offset), lanes), e.int_vector)
            joined = moved if joined is None else b.or_(joined, moved)
        return b.bitcast(joined, e.vector)


@dataclass(frozen=True)
class TransposeKernel(Kernel):
    """Rows of pixels → planes: as many positions as there are lanes at a time.

    An entry of `blocks` is the byte offset of the first position and then, for each lane, that of
    its pixels, which follow each other.
    """

    slots: ClassVar[tuple[str, ...]] = (
        "input",
        "output",
        "blocks",
        "block_count",
        "channels",
        "channel_shares",
    )

    def label(self) -> str:
        """Return "f32-transpose"."""
        return "f32-transpose"

    def body(self, emitter: KernelEmitter) -> None:
        """Write: for each channel and block, read rows, transpose, store."""
        e = emitter
        x, y, blocks, channels = (e.pointer(s) for s in ("input", "output", "blocks", "channels"))
        stride = 4 * (1 + e.lanes)
        with e.loop(*e.share("channel_shares")) as channel:
            source = e.at(x, e.offset_in(channels, channel, stride=8))
            target = e.at(y, e.offset_in(channels, channel, stride=8, field=1))
            with e.loop(0, e.number("block_count")) as block:
                first, *starts = (
                    e.offset_in(blocks, block, stride=stride, field=f) for f in range(1 + e.lanes)
                )
                rows = [e.load(e.vector, source, start) for start in starts]
                for v, column in enumerate(e.transpose(rows)):
                    e.store_vector(column, e.at(target, first), v * e.vector_bytes)
