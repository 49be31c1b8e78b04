"""Our own compiled program."""

from __future__ import annotations

from importlib.metadata import version

import numpy as np

from gossamer import __version__
from gossamer.bench.engines.engine import Engine, Subject
from gossamer.compile.compile import compile
from gossamer.runtime.program import Program


class Gossamer(Engine):
    """Runs the subject's program, or compiles its graph."""

    name = "gossamer"

    def __init__(self, subject: Subject, *, threads: int = 1) -> None:
        self._program = subject.program or compile(subject.graph, threads=threads)
        self._was_given = subject.program is not None

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Run the program."""
        return self._program(x)

    def versions(self) -> dict[str, str]:
        """Return the versions of gossamer, numpy and llvmlite."""
        return {
            "gossamer": __version__,
            **{package: version(package) for package in ("numpy", "llvmlite")},
        }

    def close(self) -> None:
        """Close the program if it was compiled here."""
        if isinstance(self._program, Program) and not self._was_given:
            self._program.close()
