"""Compare a compiled network with other engines: same input, same threads, in turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np

from gossamer.bench.clock import Protocol, time_interleaved
from gossamer.bench.engines import ENGINES, Engine, Subject
from gossamer.bench.machine import detect_machine
from gossamer.bench.record import Record
from gossamer.compile.compile import compile
from gossamer.errors import SpecError, VerificationError
from gossamer.graph import Graph, infer_shapes
from gossamer.graph.check import distance
from gossamer.runtime.program import Program

if TYPE_CHECKING:
    from torch import nn

_REST_MS = 3.0  # after which the threads of the engines that spin have gone to sleep


def benchmark(
    program: Program | Graph,
    x: np.ndarray,
    *,
    against: str | Sequence[str] = ("onnxruntime",),
    module: nn.Module | None = None,
    threads: int | None = None,
    rounds: int = 31,
    tolerance: float = 1e-4,
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
        tolerance: allowed |difference| of outputs, relative to the largest |output|.
        command: that repeats the measurement, for the record.
        advance: called after each of the `rounds · engines` samples.

    Returns:
        The record; gossamer's timing is the first.

    Raises:
        VerificationError: if an engine's output differs.
        UnknownNameError, MissingDependencyError: for an engine that is not there.
        SpecError: if the threads are not those of the program, or a number is out of range.
        ShapeError: if the network does not take `x`.
    """
    compiled = program if isinstance(program, Program) else None
    graph = program.graph if isinstance(program, Program) else program
    threads = _threads(compiled, threads)
    x = np.ascontiguousarray(x, np.float32)
    infer_shapes(graph, x.shape)
    against = (against,) if isinstance(against, str) else against
    names = ["gossamer", *(name for name in dict.fromkeys(against) if name != "gossamer")]
    classes = {name: ENGINES[name] for name in names}
    with ExitStack() as stack:
        ours = compiled or stack.enter_context(compile(graph, threads=threads))
        subject = Subject(graph, module, ours)
        engines: dict[str, Engine] = {
            name: stack.enter_context(make(subject, threads=threads))
            for name, make in classes.items()
        }
        differences = _differences(engines, x, tolerance)
        protocol = Protocol(rounds, rest_ms=_REST_MS if threads > 1 else 0.0)
        calls = {name: engine.bind(x) for name, engine in engines.items()}
        timings = time_interleaved(calls, protocol, advance=advance)
        versions = {k: v for engine in engines.values() for k, v in engine.versions().items()}
    return Record(
        network=graph.name,
        input_shape=x.shape,
        threads=threads,
        timings=tuple(timings.values()),
        differences=differences,
        machine=detect_machine(),
        versions=versions,
        command=command,
    )


def _threads(program: Program | None, wanted: int | None) -> int:
    own = program.threads if program else None
    threads = wanted if wanted is not None else (own or 1)
    if threads < 1:
        raise SpecError("threads must be at least 1", got=threads)
    if own not in (None, threads):
        raise SpecError("the program was compiled for other threads", got=threads, expected=own)
    return threads


def _differences(
    engines: Mapping[str, Engine], x: np.ndarray, tolerance: float
) -> dict[str, float]:
    """Return engine → relative difference from the first engine, or raise VerificationError."""
    outputs = {name: np.array(engine(x)) for name, engine in engines.items()}
    first, expected = next(iter(outputs.items()))
    differences = {}
    for name, output in outputs.items():
        difference = distance(output, expected)
        if not difference <= tolerance:
            raise VerificationError(
                f"the outputs of {name} and {first} differ",
                got=f"{difference:.2g} of the largest output",
                expected=f"at most {tolerance:g}",
            )
        differences[name] = difference
    return differences
