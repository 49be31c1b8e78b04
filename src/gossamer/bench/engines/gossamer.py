"""Our own compiled program."""

from __future__ import annotations

from importlib.metadata import version

import numpy as np

import gossamer
from gossamer.bench.engines.engine import Engine, Subject


class Gossamer(Engine):
    """Runs the subject's program, or compiles its graph."""

    name = "gossamer"

    def __init__(self, subject: Subject, *, threads: int = 1) -> None:
        self._own = subject.program is None
        self._program = subject.program or gossamer.compile(subject.graph, threads=threads)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Run the program."""
        return self._program(x)

    def versions(self) -> dict[str, str]:
        """Return the versions of gossamer, numpy and llvmlite."""
        return {
            "gossamer": gossamer.__version__,
            **{package: version(package) for package in ("numpy", "llvmlite")},
        }

    def close(self) -> None:
        """Close the program if it was compiled here."""
        if self._own:
            self._program.close()
