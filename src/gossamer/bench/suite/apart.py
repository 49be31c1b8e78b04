"""Measure one row in another process: memory is given back, and a crash is survived.

    python -m gossamer.bench.suite.apart FOLDER

is that process. It reads `request.json` in the folder and writes `result.json`. The name of the
engine that runs for the first time is in `begun.txt`: if the process dies, it was that one.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from gossamer.bench.suite.cap import CAPS
from gossamer.bench.suite.measure import OURS, Conditions, measure
from gossamer.bench.suite.result import Result
from gossamer.bench.suite.row import Row

_REQUEST, _RESULT, _BEGUN = "request.json", "result.json", "begun.txt"


def measure_apart(row: Row, conditions: Conditions, *, limit_s: float = 1800.0) -> Result:
    """Measure a row in another process; a rival that crashes or hangs loses its cell.

    Args:
        row: what to measure.
        conditions: how.
        limit_s: after which the process is ended.
    """
    while True:
        with TemporaryDirectory() as name:
            trouble = _run(Path(name), row, conditions, limit_s)
            if not trouble:
                return Result.from_dict(json.loads(Path(name, _RESULT).read_text("utf-8")))
            begun = Path(name, _BEGUN).read_text("utf-8")
        if begun not in conditions.engines:
            return _without_times(row, conditions, trouble)
        conditions = replace(conditions, excluded={**conditions.excluded, begun: trouble})


def _run(folder: Path, row: Row, conditions: Conditions, limit_s: float) -> str:
    """Run the other process on a request; return what went wrong, or nothing."""
    request = {"row": row.to_dict(), "conditions": asdict(conditions)}
    (folder / _REQUEST).write_text(json.dumps(request), "utf-8")
    (folder / _BEGUN).write_text("", "utf-8")
    command = [sys.executable, "-P", "-m", __name__, str(folder)]
    environment = _environment(CAPS[conditions.isa].environment)
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=limit_s
        )
    except subprocess.TimeoutExpired:
        return f"took longer than {limit_s:g} s"
    if done.returncode < 0:
        return f"crashed ({signal.Signals(-done.returncode).name})"
    return (done.stderr.strip().splitlines() or ["failed"])[-1] if done.returncode else ""


def _environment(changes: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the other process, which imports what this one can.

    Kernels are chosen anew: what the cache holds may have been measured on a busy machine.
    """
    path = os.pathsep.join(p for p in sys.path if p)
    return {**os.environ, "PYTHONPATH": path, "GOSSAMER_CACHE": "", **changes}


def _without_times(row: Row, conditions: Conditions, trouble: str) -> Result:
    missing = {**conditions.excluded, OURS: trouble}
    threads, isa, rounds = conditions.threads, conditions.isa, conditions.rounds
    return Result(row.name, threads, isa, rounds, record=None, missing=missing)


def main(folder: str) -> None:
    """Answer the request in a folder."""
    place = Path(folder)
    request = json.loads((place / _REQUEST).read_text("utf-8"))
    row, conditions = Row(**request["row"]), Conditions(**request["conditions"])
    result = measure(row, conditions, begun=lambda name: (place / _BEGUN).write_text(name, "utf-8"))
    (place / _RESULT).write_text(json.dumps(result.to_dict()), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
