"""ONNX Runtime on the CPU, tuned as its documentation says for latency."""

from __future__ import annotations

from importlib.metadata import version

import numpy as np

from gossamer.bench.engines.engine import Engine, Subject
from gossamer.errors import MissingDependencyError
from gossamer.graph.to_onnx import to_onnx


class OnnxRuntime(Engine):
    """All graph optimisations, operators in sequence, `threads` threads inside each.

    Sparse weights are written as dense ones, which is how the engine computes with them anyway.
    """

    name = "onnxruntime"

    def __init__(self, subject: Subject, *, threads: int = 1) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise MissingDependencyError(
                "ONNX Runtime is not installed", hint="pip install 'gossamer[bench,onnx]'"
            ) from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            to_onnx(subject.graph).SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Run the session."""
        return np.asarray(self._session.run(None, {self._input: x})[0])

    def versions(self) -> dict[str, str]:
        """Return the versions of ONNX Runtime and onnx."""
        return {package: version(package) for package in ("onnxruntime", "onnx")}
