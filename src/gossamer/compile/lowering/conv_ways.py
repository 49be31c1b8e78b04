"""A convolution as every kind of kernel sees it, and a way to compute it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from gossamer.compile.kernels.kernel import Kernel
from gossamer.compile.lowering.coded_conv import CodedRows
from gossamer.compile.lowering.context import Grid
from gossamer.compile.lowering.conv_streams import ConvRows
from gossamer.compile.step import Argument, Buffer, Choice
from gossamer.graph.ops import Conv2d

Pair = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Factors:
    """Numbers that weights are multiplied by when a convolution runs.

    Args:
        buffer: flat memory of one number a channel.
        offsets: (taps,) int32 byte offset of the number of each tap.
    """

    buffer: Buffer
    offsets: np.ndarray


@dataclass(frozen=True, eq=False)
class Convolution:
    """One convolution.

    Args:
        op: the operator; strides along axes of one output are 1.
        rows: its weight, with offsets.
        kernel: (rows, columns) of a filter.
        source: what it reads.
        target: what it writes.
        threads: that share the work.
        registers: vector registers of the machine.
        caches: bytes of the first and second cache of a thread.
        adds: whether the result is added to what the target holds.
        echoes: whether it writes what lies outside the target's tiles, too.
        keep_infinities: whether ways that make NaN of them are no choice.
        coded: its weight as codes, if it is to be read so where a kernel can.
        factors: of its weights, if a gate was taken over.
    """

    op: Conv2d
    rows: ConvRows
    kernel: Pair
    source: Grid
    target: Grid
    threads: int
    registers: int
    caches: Pair
    adds: bool
    echoes: bool
    keep_infinities: bool = False
    coded: CodedRows | None = None
    factors: Factors | None = None

    @property
    def lanes(self) -> int:
        """Numbers in a vector."""
        return self.target.planes.lanes

    @property
    def pixels(self) -> int:
        """Pixels that are computed, one image."""
        return self.target.planes.height * self.target.planes.width


@dataclass(frozen=True, eq=False)
class Way:
    """A way to compute a convolution.

    Args:
        kernel: that does it.
        cycles: its modelled time.
        build: makes the arguments, but for input, output and memory.
        variant: what tells it from other ways with the same kernel.
        memory: slot → bytes of memory that each thread needs.
        reads: numbers that it takes from memory at least, one image.
        macs: multiply-accumulates that it makes, one image, if fewer than the nonzeros ask for.
    """

    kernel: Kernel
    cycles: float
    build: Callable[[], Mapping[str, Argument]]
    variant: str = ""
    memory: Mapping[str, int] = field(default_factory=dict)
    reads: int = 0
    macs: int | None = None

    @property
    def kind(self) -> tuple[object, ...]:
        """What the model compares badly with other kinds: the kernel, whether rows share their
        taps, whether taps come in blocks, which pays more the slower the second cache is, and
        whether it asks for what comes next, which pays if that lies in memory.
        """
        kernel = self.kernel
        shared = getattr(kernel, "shared", False) and getattr(kernel, "rows", 1) > 1
        flags = (getattr(kernel, name, False) for name in ("blocked", "asks"))
        return type(kernel), shared, *flags

    def choice(self, conv: Convolution, memory: Mapping[str, Buffer]) -> Choice:
        """Return the way as a step's choice, with its buffers."""
        buffers: dict[str, Argument] = {slot: memory[slot] for slot in self.memory}
        buffers |= {"input": conv.source.buffer, "output": conv.target.buffer}
        sizes = {f"{slot}_bytes": size for slot, size in self.memory.items()}

        def build() -> Mapping[str, Argument]:
            return {**self.build(), **buffers, **sizes}

        return Choice(self.kernel, build, self.variant, self.reads, self.macs)


def tap_offsets(op: Conv2d, source: Grid, kernel: Pair) -> np.ndarray:
    """Return (G, taps) int64: the input offset of each (C/G, R, S) of a filter."""
    rows = (np.arange(kernel[0]) * op.dilation[0] - op.padding[0]) * source.planes.row_bytes
    columns = (np.arange(kernel[1]) * op.dilation[1] - op.padding[1]) * source.planes.column_bytes
    window = (rows[:, None] + columns[None, :]).ravel()
    inputs = source.channel_offsets().astype(np.int64).reshape(op.groups, -1, 1)
    return (inputs + window).reshape(op.groups, -1)


def tap_order(offsets: np.ndarray) -> np.ndarray:
    """Return the order in which kernels walk the taps: forwards in memory.

    It is the same for all groups but a constant, unless a permutation lies between; then the order
    is only good, not perfect.
    """
    return np.argsort(offsets[0], kind="stable")
