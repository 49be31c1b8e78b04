"""Graph → dense int8 ONNX model, by ONNX Runtime's quantisation tool, for measuring speed.

Calibrated on random inputs: the speed is that of any int8 network of this form, the accuracy says
nothing. Options as ONNX Runtime's documentation has them for x86-64: static, QDQ form, uint8
activations, int8 weights with a scale per output channel, and seven bits of weight where the
processor has no dot product of bytes (its 16-bit sums would saturate).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from gossamer.bench.machine import detect_machine
from gossamer.errors import MissingDependencyError
from gossamer.graph import Graph
from gossamer.graph.to_onnx import to_onnx

_CALIBRATION_BATCHES = 4
_DOT_PRODUCTS = {"avx512_vnni", "avx_vnni", "asimddp", "amx_int8"}


def quantise_qdq(graph: Graph) -> bytes:
    """Return the network as an int8 ONNX file in QDQ form; all sizes of its input are fixed.

    Raises:
        MissingDependencyError: without onnx and onnxruntime.
    """
    try:
        from onnxruntime.quantization import (
            CalibrationDataReader,
            QuantFormat,
            QuantType,
            quantize_static,
        )
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError:
        raise MissingDependencyError(
            "quantising needs onnx and onnxruntime", hint="pip install onnxruntime onnx"
        ) from None

    class RandomInputs(CalibrationDataReader):
        """The tool asks for one dictionary after another, and for None at the end."""

        def __init__(self) -> None:
            self._inputs = random_inputs(graph)

        def get_next(self) -> dict[str, np.ndarray] | None:  # pyright: ignore
            x = next(self._inputs, None)
            return None if x is None else {graph.input.name: x}

    with TemporaryDirectory() as folder:
        plain, prepared, quantised = (
            Path(folder, f"{n}.onnx") for n in ("plain", "shaped", "int8")
        )
        plain.write_bytes(to_onnx(graph).SerializeToString())
        quant_pre_process(plain, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            quantised,
            RandomInputs(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            reduce_range=not _DOT_PRODUCTS & set(detect_machine().isa),
        )
        return quantised.read_bytes()


def random_inputs(graph: Graph) -> Iterator[np.ndarray]:
    """Yield normal inputs of the graph's example size, the same ones every time."""
    rng = np.random.default_rng(0)
    for _ in range(_CALIBRATION_BATCHES):
        yield rng.standard_normal(graph.input.example).astype(np.float32)
