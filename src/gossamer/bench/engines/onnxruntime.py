"""ONNX Runtime on the CPU, tuned as its documentation says for latency: float32 and int8."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np

from gossamer.bench.engines.engine import Engine, Subject
from gossamer.bench.quantise import quantise_qdq
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
                "ONNX Runtime is not installed", hint="pip install onnxruntime onnx"
            ) from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            self._model(subject), options, providers=["CPUExecutionProvider"]
        )

    def _model(self, subject: Subject) -> bytes:
        """Return the ONNX file that is run."""
        return to_onnx(subject.fixed_graph).SerializeToString()

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Run the session."""
        return self.bind(x)()

    def bind(self, x: np.ndarray) -> Callable[[], Any]:
        """Return a call that runs the session on `x` through an I/O binding, the quickest way."""
        session = self._session
        binding = session.io_binding()
        binding.bind_cpu_input(session.get_inputs()[0].name, np.ascontiguousarray(x, np.float32))
        binding.bind_output(session.get_outputs()[0].name)

        def call() -> np.ndarray:
            session.run_with_iobinding(binding)
            return np.asarray(binding.copy_outputs_to_cpu()[0])

        return call

    def versions(self) -> dict[str, str]:
        """Return the versions of ONNX Runtime and onnx."""
        return {package: version(package) for package in ("onnxruntime", "onnx")}


class OnnxRuntimeInt8(OnnxRuntime):
    """The network quantised by ONNX Runtime's own tool, as `gossamer.bench.quantise` says."""

    name = "onnxruntime-int8"
    tolerance = 0.5  # of random weights and random calibration: says that it is the same network

    def _model(self, subject: Subject) -> bytes:
        return quantise_qdq(subject.fixed_graph)
