"""Compare a compiled network with other engines: same input, same threads, in turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np

from gossamer.bench.clock import Protocol
from gossamer.bench.compare import Engines, reason_of
from gossamer.bench.engines import ENGINES, Subject
from gossamer.bench.machine import detect_machine
from gossamer.bench.record import Record
from gossamer.bench.tolerance import allowed_difference
from gossamer.compile.compile import compile
from gossamer.errors import SpecError
from gossamer.graph import Graph, infer_shapes
from gossamer.runtime.program import Program

if TYPE_CHECKING:
    from torch import nn

OURS = "gossamer"
REST_MS = 3.0
"""Pause after which the threads of the engines that spin have gone to sleep."""


def benchmark(
    program: Program | Graph,
    x: np.ndarray,
    *,
    against: str | Sequence[str] = ("onnxruntime",),
    module: nn.Module | None = None,
    threads: int | None = None,
    rounds: int = 31,
    tolerance: float | None = None,
    strict: bool = True,
    command: str = "",
    advance: Callable[[], Any] = lambda: None,
) -> Record:
    """Time a network in gossamer and in other engines, interleaved, after checking that they agree.

    Args:
        program: a compiled network, or a graph to compile.
        x: (N, C, H, W) float32.
        against: one or several keys of `gossamer.bench.engines.ENGINES`.
        module: the PyTorch module, needed by the engine "torch" only.
        threads: for every engine, ≥ 1; the program's unless given, or 1.
        rounds: samples of each engine, ≥ 1.
        tolerance: allowed |difference| of outputs, relative to the largest |output|; unless given,
            `gossamer.bench.tolerance.allowed_difference`: 1e-4, and for a quantised network what
            its rounding explains. An engine whose arithmetic is not plain float32 has a larger one
            of its own.
        strict: whether a rival that is not there, fails, or gives other outputs ends the
            comparison with its error. Otherwise the others are measured, and the record says what
            is missing and why. Our own failure always ends it.
        command: that repeats the measurement, for the record.
        advance: called after each of the `rounds · engines` samples.

    Returns:
        The record; gossamer's timing is the first.

    Raises:
        UnknownNameError: for a name that is no engine's.
        VerificationError: if an engine's output differs, and it is strict.
        MissingDependencyError: for an engine that is not installed, if it is strict.
        SpecError: if the threads are not those of the program, or a number is out of range.
        ShapeError: if the network does not take `x`.

    Examples:
        >>> from gossamer.graph import Dense, Input, Node
        >>> from gossamer.graph.ops import Linear
        >>> node = Node("y", Linear(), ("x",), {"weight": "w"})
        >>> graph = Graph(Input("x", (1, 2)), (node,), "y", {"w": Dense.from_dense([[1.0, 2.0]])})
        >>> record = benchmark(graph, np.ones((1, 2)), against=(), rounds=3)
        >>> [(timing.name, len(timing.times_ms)) for timing in record.timings]
        [('gossamer', 3)]
    """
    compiled = program if isinstance(program, Program) else None
    graph = program.graph if isinstance(program, Program) else program
    threads = _threads(compiled, threads)
    x = np.ascontiguousarray(x, np.float32)
    infer_shapes(graph, x.shape)
    makers = {name: ENGINES[name] for name in engine_names(against)}
    if tolerance is None:
        tolerance = allowed_difference(graph, x) if len(makers) > 1 else 0.0
    missing: dict[str, str] = {}

    def failed(engine: str, error: Exception) -> None:
        if strict or engine == OURS:
            raise error
        missing[engine] = reason_of(error)

    with ExitStack() as stack:
        ours = compiled or stack.enter_context(compile(graph, threads=threads))
        subject = Subject(graph, module, ours, x.shape)
        engines = stack.enter_context(Engines(subject, threads=threads, failed=failed))
        engines.open(makers)
        protocol = Protocol(rounds, rest_ms=REST_MS if threads > 1 else 0.0)
        found = engines.compare(x, protocol, tolerance=tolerance, advance=advance)
    return Record(
        network=graph.name,
        input_shape=x.shape,
        threads=threads,
        timings=tuple(found.timings.values()),
        differences=found.differences,
        machine=detect_machine(),
        versions=found.versions,
        command=command,
        missing=missing,
    )


def engine_names(against: str | Sequence[str]) -> list[str]:
    """Return gossamer and the engines to compare it with, each once.

    Examples:
        >>> engine_names(["torch", "openvino", "torch"])
        ['gossamer', 'torch', 'openvino']
    """
    against = (against,) if isinstance(against, str) else against
    return list(dict.fromkeys([OURS, *against]))


def _threads(program: Program | None, wanted: int | None) -> int:
    own = program.threads if program else None
    threads = wanted if wanted is not None else (own or 1)
    if threads < 1:
        raise SpecError("threads must be at least 1", got=threads)
    if own not in (None, threads):
        raise SpecError("the program was compiled for other threads", got=threads, expected=own)
    return threads
