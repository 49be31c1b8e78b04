"""MNN on the CPU, in float32, with its sparse convolutions switched on.

The converter skips zeros only if asked (`--detectSparseSpeedUp`), and has a second form for blocks
of four output channels that share their zeros, chosen by a parameter file. It is called as a
function, in a process of its own: the console script `mnnconvert` also installs packages and sends
a usage log.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from gossamer.bench.engines.engine import Engine, Subject
from gossamer.bench.quiet import quiet
from gossamer.errors import MissingDependencyError, VerificationError
from gossamer.graph import Graph
from gossamer.graph.to_onnx import to_onnx

_CONVERT = "import sys, _tools; _tools.mnnconvert(sys.argv[1:])"
_BLOCK_ROWS = 4
# The message MNN.Compression.Pipeline of MNN's MNN_compression.proto: version 0.0.0, one algorithm,
# PRUNE by SIMD_OC in blocks of four.
_IN_BLOCKS = b"\n\x050.0.0\x12\n\x08\x01\x1a\x06\x08\x01\x1a\x02\x20\x04"


class Mnn(Engine):
    """One session of `threads` threads, precision "high" (float32)."""

    name = "mnn"
    tolerance = 1e-2  # dense 3×3 convolutions run as Winograd transforms of large tiles

    def __init__(self, subject: Subject, *, threads: int = 1) -> None:
        try:
            with quiet():
                import MNN  # pyright: ignore[reportMissingImports]
        except ImportError:
            raise MissingDependencyError(
                "MNN is not installed", hint="pip install MNN onnx"
            ) from None
        self._mnn = MNN
        with TemporaryDirectory() as folder, quiet():
            path = _convert(subject.fixed_graph, Path(folder))
            self._interpreter = MNN.Interpreter(str(path))
            settings = {"backend": "CPU", "numThread": threads, "precision": "high"}
            self._session = self._interpreter.createSession(settings)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Run the session."""
        call = self.bind(x)  # owns the memory that it returns
        return np.array(call())

    def bind(self, x: np.ndarray) -> Callable[[], Any]:
        """Return a call that copies `x` in, runs the session, and copies the output out."""
        interpreter, session = self._interpreter, self._session
        given, made = interpreter.getSessionInput(session), interpreter.getSessionOutput(session)
        host_x = self._tensor(np.ascontiguousarray(x, np.float32))
        host_y = self._tensor(np.zeros(made.getShape(), np.float32))

        def call() -> np.ndarray:
            given.copyFrom(host_x)
            interpreter.runSession(session)
            made.copyToHostTensor(host_y)
            return host_y.getNumpyData()

        return call

    def _tensor(self, array: np.ndarray) -> Any:
        """Return a tensor with a copy of the array."""
        mnn = self._mnn
        return mnn.Tensor(array.shape, mnn.Halide_Type_Float, array, mnn.Tensor_DimensionType_Caffe)

    def versions(self) -> dict[str, str]:
        """Return the versions of MNN and onnx."""
        return {package: version(package) for package in ("MNN", "onnx")}


def _convert(graph: Graph, folder: Path) -> Path:
    """Write the network in MNN's format and return the path."""
    onnx, made, blocks = (folder / name for name in ("net.onnx", "net.mnn", "blocks.bin"))
    onnx.write_bytes(to_onnx(graph).SerializeToString())
    options = ["-f", "ONNX", "--modelFile", onnx, "--MNNModel", made, "--bizCode", "gossamer"]
    options.append("--detectSparseSpeedUp")
    if zeros_in_blocks(graph, _BLOCK_ROWS):
        blocks.write_bytes(_IN_BLOCKS)
        options += ["--compressionParamsFile", blocks]
    command = [sys.executable, "-P", "-c", _CONVERT, "mnnconvert", *options]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode or not made.exists():
        last = (f"{done.stdout}\n{done.stderr}".strip().splitlines() or ["no message"])[-1]
        raise VerificationError("MNN does not convert the network", where=graph.name, got=last)
    return made


def zeros_in_blocks(graph: Graph, rows: int) -> bool:
    """Whether there are zeros, and every weight with zeros has them in blocks of output channels.

    Args:
        graph: the network.
        rows: of a block: channels rows·i … rows·(i+1) − 1 are zero in the same places.
    """
    arrays = (layout.to_dense() for layout in graph.weights.values())
    sparse = [array for array in arrays if array.ndim > 1 and not array.all()]
    return bool(sparse) and all(_shares_zeros(array, rows) for array in sparse)


def _shares_zeros(array: np.ndarray, rows: int) -> bool:
    if len(array) % rows:
        return False
    nonzero = (array != 0).reshape(len(array) // rows, rows, -1)
    return bool((nonzero == nonzero[:, :1]).all())
