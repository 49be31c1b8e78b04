"""What lowering produces: kernels in order, with their arguments still symbolic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from gossamer.compile.kernels.kernel import Kernel


@dataclass(frozen=True, eq=False)
class Buffer:
    """A piece of the arena, placed by `gossamer.compile.arena`.

    Args:
        name: of the value that it holds.
        size_bytes: its size.
    """

    name: str
    size_bytes: int


@dataclass(frozen=True)
class At:
    """An address `offset_bytes` inside a buffer."""

    buffer: Buffer
    offset_bytes: int


Argument = Buffer | At | np.ndarray | int


@dataclass(frozen=True, eq=False)
class Choice:
    """One way to run a step; its tables are made when it is looked at, not before.

    Args:
        kernel: what is called.
        build: makes the arguments, slot → buffer, table or number; costly for large weights.
        variant: what tells it from other ways with the same kernel; stable from run to run.
        reads: numbers that its useful multiply-accumulates take from memory at least, one image;
            four codes are one; `gossamer.runtime.bounds` asks for it.
        macs: multiply-accumulates that it makes, if fewer than the step's nonzeros ask for.
    """

    kernel: Kernel
    build: Callable[[], Mapping[str, Argument]]
    variant: str = ""
    reads: int = 0
    macs: int | None = None

    @property
    def label(self) -> str:
        """The kernel's label and the variant: different for all choices of a step."""
        return f"{self.kernel.label()}-{self.variant}" if self.variant else self.kernel.label()


@dataclass(frozen=True, eq=False)
class Step:
    """One kernel call of a program.

    Args:
        node: name of the graph's node that it serves.
        choices: ways to run it, all equivalent, the likeliest to be fast first: that one is taken
            unmeasured, and late ones may go untried.
        buffers: that it touches, whichever choice runs.
        macs: multiply-accumulates of the dense operator, one image.
        effective_macs: the same, zeros of the weight not counted.
        numbers: of 32 bits, of activations that are read and written, one image, nothing twice; a
            number holds four codes.
    """

    node: str
    choices: tuple[Choice, ...]
    buffers: tuple[Buffer, ...]
    macs: int = 0
    effective_macs: int = 0
    numbers: int = 0


def touched_buffers(arguments: Mapping[str, Argument]) -> tuple[Buffer, ...]:
    """Return the buffers among arguments."""
    parts = [a.buffer if isinstance(a, At) else a for a in arguments.values()]
    return tuple(part for part in parts if isinstance(part, Buffer))


def shares(units: int, threads: int) -> np.ndarray:
    """Split `units` of work evenly: (threads, 2) int64 of (begin, end).

    Examples:
        >>> shares(5, 2).tolist()
        [[0, 3], [3, 5]]
    """
    bounds = [-(-units * t // threads) for t in range(threads + 1)]
    return np.array(list(pairwise(bounds)), np.int64)
