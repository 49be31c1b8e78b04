"""Our own compiled program."""

from __future__ import annotations

from importlib.metadata import version

import numpy as np

from gossamer import __version__
from gossamer.bench.engines.engine import Engine, Subject
from gossamer.errors import SpecError


class Gossamer(Engine):
    """Runs the subject's program, which brings its own threads and stays open."""

    name = "gossamer"

    def __init__(self, subject: Subject, *, threads: int = 1) -> None:
        if subject.program is None:
            raise SpecError(
                "the engine 'gossamer' runs a program, and none was given",
                hint="compile the graph first",
            )
        self._program = subject.program

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Run the program."""
        return self._program(x)

    def versions(self) -> dict[str, str]:
        """Return the versions of gossamer, numpy and llvmlite."""
        return {
            "gossamer": __version__,
            **{package: version(package) for package in ("numpy", "llvmlite")},
        }
