"""OpenVINO on the CPU, with its latency hint: float32 and int8."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import version
from time import perf_counter
from typing import Any

import numpy as np

from gossamer.bench.engines.engine import Engine, Subject
from gossamer.bench.quantise import quantise_qdq, random_inputs
from gossamer.bench.quiet import quiet
from gossamer.errors import MissingDependencyError
from gossamer.graph.to_onnx import to_onnx

_TRIAL_RUNS = 9


class OpenVino(Engine):
    """One stream of `threads` threads; what is not int8 is held at float32, as everywhere here."""

    name = "openvino"

    def __init__(self, subject: Subject, *, threads: int = 1) -> None:
        self._openvino = _import_openvino()
        self._core = self._openvino.Core()
        self._settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",
        }
        self._compiled = self._compile(subject)

    def _compile(self, subject: Subject) -> Any:
        """Return the compiled model that is measured."""
        return self._for_cpu(self._read(to_onnx(subject.fixed_graph).SerializeToString()))

    def _read(self, onnx: bytes) -> Any:
        return self._core.read_model(onnx)

    def _for_cpu(self, model: Any) -> Any:
        return self._core.compile_model(model, "CPU", self._settings)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Run one inference request."""
        call = self.bind(x)  # owns the memory that it returns
        return np.array(call())

    def bind(self, x: np.ndarray) -> Callable[[], Any]:
        """Return a call that runs a request that reads `x` where it lies."""
        return self._bind(self._compiled, x)

    def _bind(self, compiled: Any, x: np.ndarray) -> Callable[[], Any]:
        request, x = compiled.create_infer_request(), np.ascontiguousarray(x, np.float32)
        request.set_input_tensor(self._openvino.Tensor(x, shared_memory=True))

        def call(_alive: np.ndarray = x) -> np.ndarray:  # the tensor does not keep its array alive
            request.infer(share_outputs=True)
            return request.get_output_tensor().data

        return call

    def versions(self) -> dict[str, str]:
        """Return the versions of OpenVINO and onnx."""
        return {package: version(package) for package in ("openvino", "onnx")}


class OpenVinoInt8(OpenVino):
    """The network quantised: by NNCF where it is installed, and by ONNX Runtime's tool.

    OpenVINO runs both forms; which is faster differs from network to network, and the faster one
    is measured.
    """

    name = "openvino-int8"
    tolerance = 0.5  # of random weights and random calibration: says that it is the same network

    def _compile(self, subject: Subject) -> Any:
        models = {"onnxruntime": self._read(quantise_qdq(subject.fixed_graph))}
        plain = self._read(to_onnx(subject.fixed_graph).SerializeToString())
        if (quantised := _quantise_nncf(plain, subject)) is not None:
            models["nncf"] = quantised
        compiled = {tool: self._for_cpu(model) for tool, model in models.items()}
        x = next(random_inputs(subject.fixed_graph))
        times = {tool: _least_time(self._bind(made, x)) for tool, made in compiled.items()}
        self._tool = min(times, key=times.__getitem__)
        return compiled[self._tool]

    def versions(self) -> dict[str, str]:
        """Return the versions of OpenVINO, onnx and the tool that quantised."""
        return {**super().versions(), self._tool: version(self._tool)}


def _import_openvino() -> Any:
    try:
        import openvino  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise MissingDependencyError(
            "OpenVINO is not installed", hint="pip install openvino onnx"
        ) from None
    return openvino


def _quantise_nncf(model: Any, subject: Subject) -> Any | None:
    """Return the model quantised by NNCF, symmetric activations, or None where it is missing."""
    os.environ.setdefault("NNCF_CI", "1")  # otherwise it reports its use over the network
    try:
        with quiet():
            import nncf  # pyright: ignore[reportMissingImports]
    except ImportError:
        return None
    inputs = list(random_inputs(subject.fixed_graph))
    with quiet():
        return nncf.quantize(
            model,
            nncf.Dataset(inputs),
            preset=nncf.QuantizationPreset.PERFORMANCE,
            subset_size=len(inputs),
        )


def _least_time(call: Callable[[], Any]) -> float:
    times = []
    for _ in range(_TRIAL_RUNS):
        start = perf_counter()
        call()
        times.append(perf_counter() - start)
    return min(times)
