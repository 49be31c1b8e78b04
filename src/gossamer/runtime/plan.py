"""A network for one input size, ready to run: machine code, memory, the table of steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from gossamer.jit.target import Target
    from gossamer.jit.toolchain import Code


@dataclass(frozen=True)
class StepReport:
    """What is known of one step, for `Program.explain()`.

    Args:
        node: name of the graph's node.
        kernel: label of the kernel that runs.
        time_us: of the chosen kernel, by which it was chosen: in its place in the network, or in
            that of an equal step; None if it had no rival.
        others: label → measured time of what else was tried, in microseconds.
        macs: of the dense operator, one image.
        effective_macs: the same, zeros of the weight not counted.
        reason: why this kernel runs.
        reads: numbers of 32 bits that the nonzeros' multiply-accumulates take from memory at least,
            one image; four codes are one.
        numbers: of 32 bits, of activations that are read and written, one image.
        table_bytes: of what the kernel reads beside activations: weights, offsets.
        least_macs: that some kernel makes for this step; None if as many as `effective_macs`.
    """

    node: str
    kernel: str
    time_us: float | None
    others: Mapping[str, float]
    macs: int
    effective_macs: int
    reason: str
    reads: int = 0
    numbers: int = 0
    table_bytes: int = 0
    least_macs: int | None = None


@dataclass(frozen=True, eq=False)
class Border:
    """Where in a plan the steps of the network's tail begin.

    Args:
        steps: that run before.
        values: (F,) float32 view of the arena, what the tail reads once they ran.
    """

    steps: int
    values: np.ndarray


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything that running needs; it owns the memory that the table points to.

    Args:
        steps: (n, 2) int64 addresses of kernel and arguments.
        input: float32 view of the arena where one image goes, flat; running overwrites it.
        output: float32 view of the arena where the result appears, flat.
        output_shape: of one image, without N.
        arena: the memory of all activations.
        tables: everything else that the steps point to.
        code: the machine code of its kernels.
        reports: one a step.
        target: that its code is made for.
        threads: that run it.
        threads_reason: why so many.
        keeps_infinities: whether no kernel makes NaN of an infinity that should stay one.
        keeps_nan: whether all NaN of the network come up, unless only zeros make them.
        border: where the steps of the network's tail begin; None if it has none.
    """

    steps: np.ndarray
    input: np.ndarray
    output: np.ndarray
    output_shape: tuple[int, ...]
    arena: np.ndarray
    tables: tuple[np.ndarray, ...]
    code: tuple[Code, ...]
    reports: tuple[StepReport, ...]
    target: Target
    threads: int = 1
    threads_reason: str = ""
    keeps_infinities: bool = True
    keeps_nan: bool = True
    border: Border | None = None

    @cached_property
    def job(self) -> tuple[int, int]:
        """The address and the length of the table of steps."""
        return self.steps.ctypes.data, len(self.steps)
