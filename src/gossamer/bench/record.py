"""A measurement with all that is needed to judge and repeat it, and its file of JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gossamer.bench.clock import Speedup, Timing, speedup
from gossamer.bench.machine import Machine
from gossamer.errors import DataError
from gossamer.replacing import replacing


@dataclass(frozen=True)
class Record:
    """One comparison of engines on one network and input.

    Args:
        network: name of the network.
        input_shape: (N, C, H, W) of the timed input.
        threads: that each engine was given.
        timings: one an engine; the first is the one that the others are compared with.
        differences: engine → largest |difference| from the first engine's output, relative to the
            largest |output|.
        machine: that it ran on.
        versions: package → version, of every engine.
        command: that repeats it.
        missing: engine → why it was not measured, of those that were asked for.
    """

    network: str
    input_shape: tuple[int, ...]
    threads: int
    timings: tuple[Timing, ...]
    differences: Mapping[str, float]
    machine: Machine
    versions: Mapping[str, str]
    command: str = ""
    missing: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "differences", MappingProxyType(dict(self.differences)))
        object.__setattr__(self, "versions", MappingProxyType(dict(self.versions)))
        object.__setattr__(self, "missing", MappingProxyType(dict(self.missing)))

    def timing(self, engine: str) -> Timing:
        """Return the samples of an engine; KeyError if it was not measured."""
        for timing in self.timings:
            if timing.name == engine:
                return timing
        raise KeyError(engine)

    def speedup_over(self, engine: str) -> Speedup:
        """Return how many times faster the first engine is than `engine`."""
        return speedup(self.timings[0], self.timing(engine))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "network": self.network,
            "input_shape": list(self.input_shape),
            "threads": self.threads,
            "timings": [asdict(timing) for timing in self.timings],
            "differences": dict(self.differences),
            "machine": asdict(self.machine),
            "versions": dict(self.versions),
            "command": self.command,
            "missing": dict(self.missing),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Record:
        """Rebuild a record from `to_dict()`; raises DataError if it is not one."""
        try:
            return cls(
                network=str(data["network"]),
                input_shape=tuple(int(size) for size in data["input_shape"]),
                threads=int(data["threads"]),
                timings=tuple(_timing(timing) for timing in data["timings"]),
                differences={str(k): float(v) for k, v in data["differences"].items()},
                machine=_machine(data["machine"]),
                versions={str(k): str(v) for k, v in data["versions"].items()},
                command=str(data["command"]),
                missing={str(k): str(v) for k, v in data.get("missing", {}).items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError("not a record", got=f"{type(error).__name__}: {error}") from None


def write_records(path: str | Path, records: Iterable[Record]) -> None:
    """Write records as JSON lines, one a line; replaces the file in one step."""
    path = Path(path)
    text = "".join(json.dumps(record.to_dict()) + "\n" for record in records)
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def read_records(path: str | Path) -> list[Record]:
    """Read a file of JSON lines.

    Raises:
        DataError: if the file is missing or a line is not a record; the message has its number.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise DataError("no such file, or not text", where=path) from None
    return [_parse(line, f"{path}, line {number}") for number, line in enumerate(lines, 1)]


def _parse(line: str, where: str) -> Record:
    try:
        return Record.from_dict(json.loads(line))
    except (DataError, ValueError) as error:
        raise DataError("not a record", where=where, got=error) from None


def _timing(data: Mapping[str, Any]) -> Timing:
    times_ms = tuple(float(time_ms) for time_ms in data["times_ms"])
    return Timing(str(data["name"]), times_ms, int(data["repeats"]))


def _machine(data: Mapping[str, Any]) -> Machine:
    return Machine(
        cpu=str(data["cpu"]),
        cores=int(data["cores"]),
        isa=tuple(str(name) for name in data["isa"]),
        system=str(data["system"]),
        python=str(data["python"]),
    )
