"""DeepSparse 1.8 on the CPU, run by another Python interpreter as a process of its own.

It needs old packages (`pip install 'deepsparse==1.8.0' 'numpy<2' 'onnx<1.15'` in a virtual
environment of Python 3.11), and its licence allows evaluation only: it is optional. The environment
variable GOSSAMER_DEEPSPARSE names the interpreter.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from gossamer.bench import children
from gossamer.bench.engines.engine import Engine, Subject
from gossamer.errors import MissingDependencyError, ProgramError
from gossamer.graph.to_onnx import to_onnx

INTERPRETER = "GOSSAMER_DEEPSPARSE"
_SCRIPT = Path(next(iter(children.__path__)), "deepsparse.py")
_INSTALL = "deepsparse/bin/pip install 'deepsparse==1.8.0' 'numpy<2' 'onnx<1.15'"
_PATIENCE_S = 10


class DeepSparse(Engine):
    """One stream on `threads` cores; times are taken in the other process."""

    name = "deepsparse"

    def __init__(self, subject: Subject, *, threads: int = 1) -> None:
        interpreter = os.environ.get(INTERPRETER)
        if not interpreter:
            raise MissingDependencyError(
                "DeepSparse needs an interpreter of its own",
                hint=f"python3.11 -m venv deepsparse && {_INSTALL}, then set "
                f"{INTERPRETER}=deepsparse/bin/python",
            )
        self._process = _start(interpreter)
        self._folder = TemporaryDirectory()
        try:
            model = Path(self._folder.name, "net.onnx")
            model.write_bytes(to_onnx(subject.fixed_graph).SerializeToString())
            batch = subject.input_shape[0]
            self._loaded = self._ask("load", model=str(model), batch=batch, threads=threads)
        except BaseException:
            self.close()
            raise

    def _ask(self, do: str, **request: Any) -> dict[str, Any]:
        """Send a request and return the answer; ProgramError if it is an error or none comes."""
        given, answers = self._process.stdin, self._process.stdout
        assert given is not None
        assert answers is not None
        try:
            given.write(json.dumps({"do": do, **request}) + "\n")
            given.flush()
            line = answers.readline()
        except BrokenPipeError:
            line = ""
        answer = json.loads(line) if line else {"error": "the process has ended"}
        if "error" in answer:
            raise ProgramError("DeepSparse failed", got=answer["error"])
        return answer

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Run the network once."""
        return self.bind(x)()

    def bind(self, x: np.ndarray) -> Callable[[], Any]:
        """Return a call that runs the network on `x` over there."""
        return _Call(self._ask, Path(self._folder.name), np.ascontiguousarray(x, np.float32))

    def versions(self) -> dict[str, str]:
        """Return the version of DeepSparse and the instruction set that it chose."""
        return {"deepsparse": f"{self._loaded['version']} ({self._loaded['isa']})"}

    def close(self) -> None:
        """End the process and remove its files."""
        try:
            self._process.communicate(timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        self._folder.cleanup()


class _Call:
    """A bound call that `gossamer.bench.clock` lets time itself."""

    def __init__(self, ask: Callable[..., dict[str, Any]], folder: Path, x: np.ndarray) -> None:
        self._ask, self._output = ask, folder / "y.npy"
        np.save(folder / "x.npy", x)
        ask("bind", input=str(folder / "x.npy"))

    def __call__(self) -> np.ndarray:
        """Run once."""
        self._ask("run", output=str(self._output))
        return np.load(self._output)

    def elapsed_ns(self, repeats: int) -> int:
        """Run that often and return the nanoseconds that it took."""
        return self._ask("time", repeats=repeats)["elapsed_ns"]


def _start(interpreter: str) -> subprocess.Popen[str]:
    """Start the script; `-I` keeps this package's folders out of the other interpreter's path."""
    try:
        return subprocess.Popen(
            [interpreter, "-I", str(_SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "NM_DISABLE_ANALYTICS": "1"},  # otherwise it reports its use
        )
    except OSError as error:
        raise MissingDependencyError(
            f"{INTERPRETER} names no interpreter", got=interpreter, hint=error.strerror
        ) from None
