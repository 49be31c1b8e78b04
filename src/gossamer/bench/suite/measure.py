"""Measure one row in this process; an engine that fails loses its cell, not the row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gossamer.bench.benchmark import OURS, REST_MS, engine_names
from gossamer.bench.clock import Protocol
from gossamer.bench.compare import Comparison, Engines
from gossamer.bench.engines import ENGINES, Subject
from gossamer.bench.load import watch_load
from gossamer.bench.machine import detect_machine
from gossamer.bench.quantise import random_inputs
from gossamer.bench.record import Record
from gossamer.bench.suite.cap import CAPS
from gossamer.bench.suite.network import build_graph
from gossamer.bench.suite.result import Result
from gossamer.bench.suite.row import Row
from gossamer.compile.compile import compile
from gossamer.errors import DataError
from gossamer.graph import Graph
from gossamer.graph.quantise import QuantiseOptions, quantise
from gossamer.jit.limits import Limits, measure_limits
from gossamer.runtime.bounds import plan_bound_us
from gossamer.runtime.plan import Plan
from gossamer.runtime.program import Program

TOLERANCE = 3e-4  # SparseNet-121 with random weights magnifies rounding: engines differ by 2e-4
INT8_TOLERANCE = 0.5  # of random weights and random calibration: says that it is the same network


@dataclass(frozen=True)
class Conditions:
    """Under which a row is measured.

    Args:
        threads: of each engine, ≥ 1.
        engines: rivals, keys of `gossamer.bench.engines.ENGINES`.
        rounds: samples of each, ≥ 1.
        isa: a key of `gossamer.bench.suite.cap.CAPS`; its environment must have been set before the
            process started.
        excluded: engine → why it is not to be tried.
    """

    threads: int = 1
    engines: Sequence[str] = ()
    rounds: int = 31
    isa: str = "host"
    excluded: Mapping[str, str] = field(default_factory=dict)

    @property
    def protocol(self) -> Protocol:
        """How long to measure."""
        return Protocol(self.rounds, rest_ms=REST_MS if self.threads > 1 else 0.0)


def measure(
    row: Row, conditions: Conditions, *, begun: Callable[[str], Any] = lambda name: None
) -> Result:
    """Return the times of a row: our program and its rivals in turns, on one random picture.

    Args:
        row: what to measure.
        conditions: how.
        begun: called with the name of the engine that is about to run for the first time, and with
            the empty name when the timing starts.
    """
    missing = {**CAPS[conditions.isa].unable, **conditions.excluded}
    found = _Found()
    try:
        found = _compare(build_graph(row), row.precision, conditions, missing, begun)
    except DataError as error:
        missing[OURS] = str(error)
    return Result(
        row=row.name,
        threads=conditions.threads,
        isa=conditions.isa,
        rounds=conditions.rounds,
        record=found.record,
        missing={n: missing[n] for n in engine_names(conditions.engines) if n in missing},
        bound_ms=found.bound_ms,
        foreign_load=found.foreign_load,
        limits=found.limits,
    )


@dataclass(frozen=True)
class _Found:
    """What was measured of a graph."""

    record: Record | None = None
    bound_ms: float | None = None
    foreign_load: float | None = None
    limits: Limits | None = None


def _compare(
    graph: Graph,
    precision: str,
    conditions: Conditions,
    missing: dict[str, str],
    begun: Callable[[str], Any],
) -> _Found:
    """Compare our program with its rivals; adds to `missing` what fails.

    Our program rounds to int8 if the row asks for it; rivals get the real graph, and those that run
    int8 round it by their own tools.
    """
    x = np.random.default_rng(0).standard_normal(graph.input.example).astype(np.float32)

    def failed(engine: str, error: Exception) -> None:
        missing[engine] = f"{type(error).__name__}: {error}"

    with ExitStack() as stack:
        program, threads = None, conditions.threads
        if OURS not in missing:
            begun(OURS)
            try:
                ours = quantise_randomly(graph) if precision == "int8" else graph
                program = compile(ours, threads=threads, target=conditions.isa)
                stack.enter_context(program)
            except Exception as error:
                failed(OURS, error)
        subject = Subject(graph, None, program, x.shape)
        engines = stack.enter_context(Engines(subject, threads=threads, failed=failed, begun=begun))
        names = [name for name in engine_names(conditions.engines) if name not in missing]
        engines.open({name: ENGINES[name] for name in names})
        before = _limits(program)
        with watch_load() as load:
            tolerance = INT8_TOLERANCE if precision == "int8" else TOLERANCE
            comparison = engines.compare(x, conditions.protocol, tolerance=tolerance)
        limits, bound_ms = _bound(program, before)
    return _Found(_as_record(graph, comparison, threads), bound_ms, load.mean, limits)


def _limits(program: Program | None) -> Limits | None:
    """Return the machine's limits of this moment, of the instructions that a program uses."""
    return measure_limits(_plan(program).target) if program else None


def _bound(program: Program | None, before: Limits | None) -> tuple[Limits | None, float | None]:
    """Return the machine's limits, the better of now and before, and the bound in milliseconds."""
    now = _limits(program)
    if program is None or now is None or before is None:
        return None, None
    limits = now.best_of(before)
    bound_us = plan_bound_us(_plan(program), limits)
    return limits, None if bound_us is None else bound_us / 1e3


def _plan(program: Program) -> Plan:
    return program.plan_for(program.graph.input.example[1:])


def quantise_randomly(graph: Graph) -> Graph:
    """Return the graph in int8, calibrated on random pictures: for its speed only."""
    images = np.concatenate(list(random_inputs(graph)))
    return quantise(graph, images, QuantiseOptions("minmax"))


def _as_record(graph: Graph, comparison: Comparison, threads: int) -> Record | None:
    if not comparison.timings:
        return None
    return Record(
        network=graph.name,
        input_shape=graph.input.example,
        threads=threads,
        timings=tuple(comparison.timings.values()),
        differences=comparison.differences,
        machine=detect_machine(),
        versions=comparison.versions,
    )
