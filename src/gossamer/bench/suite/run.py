"""Measure the suite, row after row, each in a process of its own; what is finished is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gossamer.bench.engines import ENGINES
from gossamer.bench.machine import detect_machine
from gossamer.bench.suite.apart import measure_apart
from gossamer.bench.suite.cap import CAPS
from gossamer.bench.suite.measure import Conditions
from gossamer.bench.suite.result import Result, read_results, write_results
from gossamer.bench.suite.row import RIVALS, Row
from gossamer.errors import SpecError
from gossamer.registry import unknown_name

ALL_RIVALS = tuple(name for names in RIVALS.values() for name in names)
RESULTS_FILE = "suite.jsonl"
_NEEDS_MODULE = "torch"


@dataclass(frozen=True)
class SuiteOptions:
    """What a run of the suite measures.

    Args:
        threads: numbers of threads, each ≥ 1.
        engines: rivals, keys of `gossamer.bench.engines.ENGINES` other than torch.
        rounds: samples of each engine, ≥ 1.
        isa: a key of `gossamer.bench.suite.cap.CAPS`.
        limit_s: a row that takes longer is given up.

    Raises:
        SpecError: if a number is out of range, or an engine cannot be used here.
        UnknownNameError: if there is no such engine.
    """

    threads: tuple[int, ...] = (1,)
    engines: tuple[str, ...] = ALL_RIVALS
    rounds: int = 31
    isa: str = "host"
    limit_s: float = 1800.0

    def __post_init__(self) -> None:
        if not self.threads or min(self.threads) < 1 or self.rounds < 1 or self.limit_s <= 0:
            raise SpecError(
                "the suite needs threads ≥ 1, rounds ≥ 1 and some time",
                got=f"threads {self.threads}, {self.rounds} rounds, {self.limit_s} s",
            )
        if self.isa not in CAPS:
            raise SpecError("unknown instruction set", got=self.isa, expected=" or ".join(CAPS))
        for name in self.engines:
            if name not in ENGINES:
                ENGINES[name]  # raises, with the nearest names
            if name == _NEEDS_MODULE:
                raise SpecError("the suite does not measure PyTorch", hint=f"known: {ALL_RIVALS}")


def select_rows(rows: Sequence[Row], networks: Sequence[str]) -> list[Row]:
    """Return the rows of some networks, or of one size ("resnet-50 at 448"); all if none is named.

    Raises:
        UnknownNameError: if no row has such a network.
    """
    known = dict.fromkeys(name for row in rows for name in (row.network, row.subject))
    for name in networks:
        if name not in known:
            raise unknown_name("network of the suite", name, known)
    return [row for row in rows if not networks or {row.network, row.subject} & set(networks)]


def run_suite(
    rows: Sequence[Row],
    options: SuiteOptions,
    folder: Path,
    *,
    again: bool = False,
    say: Callable[[str], Any] = lambda line: None,
) -> list[Result]:
    """Measure rows, and return their results with those that were finished before.

    Args:
        rows: what to measure.
        options: how.
        folder: made if it is missing; `suite.jsonl` in it holds what is finished.
        again: measure finished rows again.
        say: called with a line about what is being done.

    Raises:
        DataError: if the file in the folder is not of this kind.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, wanted = folder / RESULTS_FILE, []
    kept = read_results(path)
    for row, threads in ((row, threads) for threads in options.threads for row in rows):
        result = None if again else _finished(kept, row, threads, options)
        if result is None:
            say(f"{row.name}, {threads} thread{'s' if threads > 1 else ''}")
            result = measure_apart(row, _conditions(options, threads), limit_s=options.limit_s)
            kept = [other for other in kept if _key(other) != _key(result)] + [result]
            write_results(path, kept)
        wanted.append(result)
    return wanted


def _conditions(options: SuiteOptions, threads: int) -> Conditions:
    return Conditions(threads, options.engines, options.rounds, options.isa)


def _key(result: Result) -> tuple[Any, ...]:
    return (result.row, result.threads, result.isa, result.rounds)


def _finished(
    results: Sequence[Result], row: Row, threads: int, options: SuiteOptions
) -> Result | None:
    """Return the result that is there already, of this machine and with all engines."""
    key, machine = (row.name, threads, options.isa, options.rounds), detect_machine()
    for result in results:
        fits = _key(result) == key and result.engines >= set(options.engines)
        if fits and result.record is not None and result.record.machine == machine:
            return result
    return None
