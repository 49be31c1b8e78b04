"""What lowering produces: kernels in order, with their arguments still symbolic."""

from __future__ import annotations

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
    """One way to run a step.

    Args:
        kernel: what is called.
        arguments: slot → buffer, table or number.
    """

    kernel: Kernel
    arguments: dict[str, Argument]

    def buffers(self) -> list[Buffer]:
        """Return the buffers that it touches."""
        found = []
        for argument in self.arguments.values():
            if isinstance(argument, Buffer):
                found.append(argument)
            elif isinstance(argument, At):
                found.append(argument.buffer)
        return found


@dataclass(frozen=True, eq=False)
class Step:
    """One kernel call of a program.

    Args:
        node: name of the graph's node that it serves.
        choices: ways to run it, all equivalent; the first is what is taken unmeasured.
        macs: multiply-accumulates of the dense operator, one image.
        effective_macs: the same, zeros of the weight not counted.
    """

    node: str
    choices: tuple[Choice, ...]
    macs: int = 0
    effective_macs: int = 0


def shares(units: int, threads: int) -> np.ndarray:
    """Split `units` of work evenly: (threads, 2) int64 of (begin, end).

    Examples:
        >>> shares(5, 2).tolist()
        [[0, 3], [3, 5]]
    """
    bounds = [-(-units * t // threads) for t in range(threads + 1)]
    return np.array(list(pairwise(bounds)), np.int64)
