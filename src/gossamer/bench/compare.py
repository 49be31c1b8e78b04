"""Open engines, check that they agree, time them in turns: what every comparison does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np

from gossamer.bench.clock import Protocol, Timing, time_interleaved
from gossamer.bench.engines import Engine, Subject
from gossamer.errors import VerificationError
from gossamer.graph.check import distance

Failed = Callable[[str, Exception], Any]


def refuse(engine: str, error: Exception) -> None:
    """Let an engine's failure end the comparison."""
    raise error


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
        calls = {name: self._open[name].bind(x) for name in differences}
        self._begun("")
        timings = time_interleaved(calls, protocol, advance=advance)
        versions = {
            package: number
            for name in differences
            for package, number in self._open[name].versions().items()
        }
        return Comparison(timings, differences, versions)

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
