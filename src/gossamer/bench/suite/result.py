"""What was measured of one row, and the file of JSON lines that a suite can be resumed from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gossamer.bench.clock import Speedup, speedup
from gossamer.bench.record import Record
from gossamer.bench.suite.row import RIVALS
from gossamer.errors import DataError
from gossamer.jit.limits import Limits
from gossamer.replacing import replacing


@dataclass(frozen=True)
class Result:
    """One row on one number of threads.

    Args:
        row: its name.
        threads: of each engine.
        isa: a key of `gossamer.bench.suite.cap.CAPS`.
        rounds: that were asked for.
        record: timings of the engines that ran; None if none did.
        missing: engine → why it was not measured.
        bound_ms: least time that the limits allow our program, if known:
            `gossamer.runtime.bounds`.
        limits: of the machine for this instruction set, measured with the row.
        foreign_load: processors' worth of work of other processes meanwhile, if known.
    """

    row: str
    threads: int
    isa: str
    rounds: int
    record: Record | None
    missing: Mapping[str, str] = field(default_factory=dict)
    bound_ms: float | None = None
    foreign_load: float | None = None
    limits: Limits | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "missing", MappingProxyType(dict(self.missing)))

    @property
    def engines(self) -> set[str]:
        """Those that were asked for, measured or missing."""
        measured = self.record.timings if self.record else ()
        return {timing.name for timing in measured} | set(self.missing)

    def median_ms(self, engine: str) -> float | None:
        """Return the median time of an engine, None if it was not measured."""
        if self.record is None or engine not in {t.name for t in self.record.timings}:
            return None
        return self.record.timing(engine).median_ms

    def multiple(self, kind: str) -> Speedup | None:
        """Return how many times faster we are than the fastest rival of a kind in `RIVALS`."""
        times = {name: self.median_ms(name) for name in RIVALS[kind]}
        ran = {name: time_ms for name, time_ms in times.items() if time_ms is not None}
        if self.record is None or not ran or self.median_ms("gossamer") is None:
            return None
        best = min(ran, key=ran.__getitem__)
        return speedup(self.record.timing("gossamer"), self.record.timing(best))

    @property
    def share_of_bound(self) -> float | None:
        """Bound over time, 0…1, or None if there is no bound."""
        time_ms = self.median_ms("gossamer")
        return self.bound_ms / time_ms if self.bound_ms and time_ms else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "row": self.row,
            "threads": self.threads,
            "isa": self.isa,
            "rounds": self.rounds,
            "record": self.record.to_dict() if self.record else None,
            "missing": dict(self.missing),
            "bound_ms": self.bound_ms,
            "foreign_load": self.foreign_load,
            "limits": self.limits.to_dict() if self.limits else None,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Result:
        """Rebuild a result from `to_dict()`; raises DataError if it is not one."""
        try:
            record = data["record"]
            return cls(
                row=str(data["row"]),
                threads=int(data["threads"]),
                isa=str(data["isa"]),
                rounds=int(data["rounds"]),
                record=Record.from_dict(record) if record is not None else None,
                missing={str(k): str(v) for k, v in data["missing"].items()},
                bound_ms=_number(data["bound_ms"]),
                foreign_load=_number(data["foreign_load"]),
                limits=Limits.from_dict(data["limits"]) if data.get("limits") else None,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError("not a result", got=f"{type(error).__name__}: {error}") from None


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def write_results(path: Path, results: Iterable[Result]) -> None:
    """Write results as JSON lines, one a line; replaces the file in one step."""
    text = "".join(json.dumps(result.to_dict()) + "\n" for result in results)
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def read_results(path: Path) -> list[Result]:
    """Read a file of JSON lines; an absent file has none.

    Raises:
        DataError: if a line is not a result; the message has its number.
    """
    if not path.exists():
        return []
    results = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            results.append(Result.from_dict(json.loads(line)))
        except ValueError as error:
            raise DataError("not a result", where=f"{path}, line {number}", got=error) from None
    return results
