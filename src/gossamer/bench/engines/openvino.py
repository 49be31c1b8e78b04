"""OpenVINO on the CPU, with its latency hint, in float32."""

from __future__ import annotations

from importlib.metadata import version

import numpy as np

from gossamer.bench.engines.engine import Engine, Subject
from gossamer.errors import MissingDependencyError
from gossamer.graph.to_onnx import to_onnx


class OpenVino(Engine):
    """One stream of `threads` threads; precision is held at float32, as for every engine here."""

    name = "openvino"

    def __init__(self, subject: Subject, *, threads: int = 1) -> None:
        try:
            import openvino  # pyright: ignore[reportMissingImports]
        except ImportError:
            raise MissingDependencyError(
                "OpenVINO is not installed", hint="pip install 'gossamer[bench,onnx]'"
            ) from None
        core = openvino.Core()
        model = core.read_model(to_onnx(subject.graph).SerializeToString())
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",
        }
        self._compiled = core.compile_model(model, "CPU", settings)
        self._request = self._compiled.create_infer_request()

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Run one inference request."""
        return next(iter(self._request.infer({0: x}).values()))

    def versions(self) -> dict[str, str]:
        """Return the versions of OpenVINO and onnx."""
        return {package: version(package) for package in ("openvino", "onnx")}
