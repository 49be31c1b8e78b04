"""Whether a program computes what the ONNX file does that its graph was read from.

Rivals are given our own export of the graph, so that comparing with them would not show an error of
our import. ONNX Runtime runs the file itself, without any of its optimisations: operator by
operator, as ONNX defines them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gossamer.bench.compare import reason_of
from gossamer.errors import VerificationError
from gossamer.graph.check import distance

# Values of half precision have eleven bits, 5e-4 a rounding; some dozens of layers add up to this.
HALF_TOLERANCE = 0.02
_TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16}


@dataclass(frozen=True)
class FileCheck:
    """What came of the comparison with the file.

    Args:
        difference: largest |difference| of outputs, relative to the file's largest |output|; None
            if they could not be compared.
        reason: why not.
    """

    difference: float | None = None
    reason: str = ""


def check_file(
    program: Callable[[np.ndarray], np.ndarray], path: Path, x: np.ndarray, tolerance: float
) -> FileCheck:
    """Compare a program with the ONNX file that it came from.

    Args:
        program: that is checked.
        path: of the file; it may take (N, H, W, C) where the program takes (N, C, H, W), and
            floats of other precisions.
        x: (N, C, H, W) or (N, F) float32.
        tolerance: allowed difference, relative to the file's largest |output|; 0.02 at least
            for a file that computes in half precision.

    Raises:
        VerificationError: if the outputs differ by more.
    """
    try:
        expected = _run(path, x)
        allowed = max(tolerance, HALF_TOLERANCE if _has_halves(path) else 0.0)
    except ImportError:
        return FileCheck(reason="ONNX Runtime is not installed; pip install onnxruntime onnx")
    except Exception as error:
        return FileCheck(reason=f"ONNX Runtime does not run it: {reason_of(error)}")
    difference = distance(program(x), expected)
    if not difference <= allowed:
        raise VerificationError(
            "gossamer computes other outputs than ONNX Runtime does from this file",
            where=path,
            got=f"{difference:.2g} of the largest output",
            expected=f"at most {allowed:g}",
            hint="please report it, with the file; a larger tolerance may be given",
        )
    return FileCheck(difference)


def _run(path: Path, x: np.ndarray) -> np.ndarray:
    """Return the file's output, float32."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    if not _fits(given.shape, x.shape) and x.ndim == 4:
        x = x.transpose(0, 2, 3, 1)
    fed = np.ascontiguousarray(x, _TYPES.get(given.type, np.float32))
    (output,) = session.run(None, {given.name: fed})
    return np.asarray(output, np.float32)


def _fits(sizes: list[Any], shape: tuple[int, ...]) -> bool:
    """Whether a shape is one of those that a file takes; sizes that are no numbers are open."""
    return len(sizes) == len(shape) and all(
        size == given or not isinstance(size, int) for size, given in zip(sizes, shape, strict=True)
    )


def _has_halves(path: Path) -> bool:
    """Whether any constant of the file is of half precision."""
    import onnx

    halves = (onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)
    model = onnx.load(path, load_external_data=False)
    return any(tensor.data_type in halves for tensor in model.graph.initializer)
