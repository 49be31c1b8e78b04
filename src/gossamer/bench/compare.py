"""Open engines, check that they agree, time them in turns: what every comparison does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np

from gossamer.bench.clock import Failed, Protocol, Timing, refuse, time_interleaved
from gossamer.bench.engines import Engine, Subject
from gossamer.errors import GossamerError, VerificationError
from gossamer.graph.check import distance

T = TypeVar("T")
_LONGEST_REASON = 300


def reason_of(error: Exception) -> str:
    """Return why an engine failed, in one line.

    Examples:
        >>> reason_of(RuntimeError("no kernel\\nfor this"))
        'RuntimeError: no kernel for this'
    """
    own = isinstance(error, GossamerError)
    text = str(error) if own else f"{type(error).__name__}: {error}"
    line = " ".join(text.split()).removesuffix(":")
    return line if len(line) <= _LONGEST_REASON else f"{line[: _LONGEST_REASON - 1]}…"


@dataclass(frozen=True)
class Comparison:
    """What came of a comparison; the engines that failed are in neither.

    Args:
        timings: engine → samples, in the order asked for.
        differences: engine → largest |difference| from the first engine's output, relative to the
            largest |output|.
        versions: package → version, of all engines.
    """

    timings: Mapping[str, Timing]
    differences: Mapping[str, float]
    versions: Mapping[str, str]


class Engines:
    """Engines on one network, opened one after another and closed together.

    Args:
        subject: the network.
        threads: of each engine.
        failed: called with the name of an engine and its error; if it returns, the comparison goes
            on without that engine.
        begun: called with the name of the engine that is about to be opened or first run.
    """

    def __init__(
        self,
        subject: Subject,
        *,
        threads: int = 1,
        failed: Failed = refuse,
        begun: Callable[[str], Any] = lambda name: None,
    ) -> None:
        self._subject, self._threads = subject, threads
        self._failed, self._begun = failed, begun
        self._stack = ExitStack()
        self._open: dict[str, Engine] = {}

    def open(self, makers: Mapping[str, Callable[..., Engine]]) -> None:
        """Open engines by name."""
        for name, make in makers.items():
            self._begun(name)
            try:
                self._open[name] = self._stack.enter_context(
                    make(self._subject, threads=self._threads)
                )
            except Exception as error:
                self._failed(name, error)

    def compare(
        self,
        x: np.ndarray,
        protocol: Protocol,
        *,
        tolerance: float,
        advance: Callable[[], Any] = lambda: None,
    ) -> Comparison:
        """Check on `x` that the open engines agree with the first, then time those that do.

        Raises:
            VerificationError: if one differs by more than `tolerance`, or its own, and `failed`
                does not take it.
        """
        differences = self._differences(x, tolerance)
        calls = self._of_each(differences, lambda engine: engine.bind(x))
        numbers = self._of_each(calls, lambda engine: engine.versions())
        self._begun("")
        timed = {name: calls[name] for name in numbers}
        timings = time_interleaved(timed, protocol, advance=advance, failed=self._failed)
        versions = {package: v for name in timings for package, v in numbers[name].items()}
        return Comparison(timings, {name: differences[name] for name in timings}, versions)

    def _of_each(self, names: Iterable[str], get: Callable[[Engine], T]) -> dict[str, T]:
        """Return what each engine gives; those that raise are reported and left out."""
        given: dict[str, T] = {}
        for name in names:
            try:
                given[name] = get(self._open[name])
            except Exception as error:
                self._failed(name, error)
        return given

    def _differences(self, x: np.ndarray, tolerance: float) -> dict[str, float]:
        differences: dict[str, float] = {}
        first, expected = "", np.empty(0)
        for name, engine in self._open.items():
            self._begun(name)
            try:
                output = np.array(engine(x))
                if not differences:
                    first, expected = name, output
                difference = distance(output, expected)
                _check(f"the outputs of {name} and {first} differ", difference, tolerance, engine)
                differences[name] = difference
            except Exception as error:
                self._failed(name, error)
        return differences

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()


def _check(problem: str, difference: float, tolerance: float, engine: Engine) -> None:
    allowed = max(tolerance, engine.tolerance)
    if not difference <= allowed:
        raise VerificationError(
            problem,
            got=f"{difference:.2g} of the largest output",
            expected=f"at most {allowed:g}",
        )
