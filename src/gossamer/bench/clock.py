"""The timing protocol: several calls timed in turns, so that a busy machine hits all alike.

Each *round* takes one sample of every call, and the order is reversed from round to round. A
sample is one untimed call, then as many timed ones as the clock needs. Speed is compared within
rounds, pair by pair, and only then summarised.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter_ns, sleep
from typing import Any, runtime_checkable
from typing import Protocol as Interface

import numpy as np

from gossamer.errors import SpecError

Call = Callable[[], object]
Clock = Callable[[], int]
Failed = Callable[[str, Exception], Any]


def refuse(name: str, error: Exception) -> None:
    """Let one failure end the whole comparison."""
    raise error


@runtime_checkable
class SelfTimed(Interface):
    """A call into another process, which times itself: the way there and back does not count."""

    def __call__(self) -> object:
        """Run once."""
        ...

    def elapsed_ns(self, repeats: int) -> int:
        """Run that often and return the nanoseconds that it took over there."""
        ...


@dataclass(frozen=True)
class Protocol:
    """How long to measure.

    Args:
        rounds: samples taken of each call, ≥ 1.
        sample_ms: least duration of one sample in milliseconds, > 0.
        warm_up_ms: each call runs at least this long before the first sample.
        rest_ms: pause before each sample, so that the threads of the engine before have gone to
            sleep; ≥ 0.

    Raises:
        SpecError: if a number is out of range.
    """

    rounds: int = 31
    sample_ms: float = 2.0
    warm_up_ms: float = 30.0
    rest_ms: float = 0.0

    def __post_init__(self) -> None:
        if self.rounds < 1 or self.sample_ms <= 0 or min(self.warm_up_ms, self.rest_ms) < 0:
            raise SpecError("a protocol needs rounds ≥ 1 and a positive sample time", got=self)


@dataclass(frozen=True)
class Timing:
    """The samples of one call.

    Args:
        name: of what was timed.
        times_ms: one a round, per call, in the order of the rounds.
        repeats: calls in one sample.

    Examples:
        >>> Timing("x", (4.0, 2.0, 3.0), 1).median_ms
        3.0
    """

    name: str
    times_ms: tuple[float, ...]
    repeats: int

    @property
    def median_ms(self) -> float:
        """Median time of one call, in milliseconds."""
        return float(np.median(self.times_ms))

    @property
    def min_ms(self) -> float:
        """Least time of one call, in milliseconds."""
        return min(self.times_ms)

    @property
    def quartiles_ms(self) -> tuple[float, float]:
        """First and third quartile of the time of one call, in milliseconds."""
        low, high = np.quantile(self.times_ms, [0.25, 0.75])
        return float(low), float(high)


@dataclass(frozen=True)
class Speedup:
    """How many times faster one call is than another: median and quartiles over the rounds."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f}× ({self.low:.2f}–{self.high:.2f})"


def speedup(fast: Timing, slow: Timing) -> Speedup:
    """Return how many times less time `fast` takes than `slow`, compared round by round.

    Raises:
        SpecError: if they are not from the same rounds.

    Examples:
        >>> str(speedup(Timing("a", (1.0, 2.0, 1.0), 1), Timing("b", (3.0, 6.0, 3.0), 1)))
        '3.00× (3.00–3.00)'
    """
    if len(fast.times_ms) != len(slow.times_ms):
        raise SpecError(
            "timings are not of the same rounds", got=(len(fast.times_ms), len(slow.times_ms))
        )
    pairs = np.asarray(slow.times_ms) / np.asarray(fast.times_ms)
    low, median, high = (float(q) for q in np.quantile(pairs, [0.25, 0.5, 0.75]))
    return Speedup(median, low, high)


def time_interleaved(
    calls: Mapping[str, Call],
    protocol: Protocol = Protocol(),
    *,
    clock: Clock = perf_counter_ns,
    advance: Callable[[], Any] = lambda: None,
    failed: Failed = refuse,
) -> dict[str, Timing]:
    """Time several calls in turns.

    Args:
        calls: name → call without arguments; its inputs should be bound already. A `SelfTimed`
            one is timed by itself, not by `clock`.
        protocol: how long to measure.
        clock: returns nanoseconds.
        advance: called after each sample, for a progress bar.
        failed: called with the name of a call and what it raised; if it returns, the others are
            timed without that call.

    Returns:
        name → samples, in the order of `calls`; those that failed are not in it.

    Examples:
        >>> timings = time_interleaved({"sum": lambda: sum(range(9))}, Protocol(rounds=3))
        >>> len(timings["sum"].times_ms)
        3
    """
    repeats: dict[str, int] = {}
    for name, call in calls.items():
        try:
            repeats[name] = _settle(call, protocol, clock)
        except Exception as error:
            failed(name, error)
    samples: dict[str, list[float]] = {name: [] for name in repeats}
    names = list(repeats)
    for _ in range(protocol.rounds):
        for name in tuple(names):
            sleep(protocol.rest_ms / 1e3)
            try:
                samples[name].append(_sample_ms(calls[name], repeats[name], clock))
            except Exception as error:
                failed(name, error)
                names.remove(name)
            advance()
        names.reverse()
    return {n: Timing(n, tuple(samples[n]), repeats[n]) for n in calls if n in names}


def _sample_ms(call: Call, repeats: int, clock: Clock) -> float:
    call()  # wakes threads and warms the caches that the call before has used
    return _elapsed_ns(call, repeats, clock) / repeats / 1e6


def _settle(call: Call, protocol: Protocol, clock: Clock) -> int:
    """Warm a call up, and return how many repeats make a sample long enough."""
    repeats, spent_ns = 1, 0
    while True:
        elapsed_ns = max(_elapsed_ns(call, repeats, clock), 1)
        spent_ns += elapsed_ns
        if spent_ns >= protocol.warm_up_ms * 1e6 and elapsed_ns >= protocol.sample_ms * 1e6:
            return max(1, round(repeats * protocol.sample_ms * 1e6 / elapsed_ns))
        if elapsed_ns < protocol.sample_ms * 1e6:
            repeats *= 2


def _elapsed_ns(call: Call, repeats: int, clock: Clock) -> int:
    if isinstance(call, SelfTimed):
        return call.elapsed_ns(repeats)
    start = clock()
    for _ in range(repeats):
        call()
    return clock() - start
