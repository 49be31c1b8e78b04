"""How far our results and ONNX Runtime's are from each other, and from the interpreter's.

Two engines that compute in float32 add in different orders and differ by rounding. Whose rounding
it is, only a third result says that rounds nothing: the interpreter's in float64. Of a network in
int8 the third is the interpreter's in float32, which defines its roundings: what is in the middle
of two levels in float32 may lie beside it in float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gossamer.bench.engines import ENGINES, Subject
from gossamer.compile.compile import compile
from gossamer.graph import Graph, interpret
from gossamer.graph.check import distance
from gossamer.graph.ops import Quantise

RIVAL = "onnxruntime"


@dataclass(frozen=True)
class Agreement:
    """Largest |difference| of outputs over the largest |output|, of all pictures together.

    Args:
        ours: instruction set → of our program from the interpreter.
        rival: of ONNX Runtime from the interpreter.
        own: of the interpreter in float32 from itself in float64: what rounding each value once
            does, and in int8 what falls to the other level for it.
        apart: instruction set → of our program from ONNX Runtime.
    """

    ours: dict[str, float]
    rival: float
    own: float
    apart: dict[str, float]


def agreement(
    graph: Graph,
    x: np.ndarray,
    *,
    targets: tuple[str, ...] = ("host", "avx2"),
    threads: int = 1,
    measure: bool = True,
) -> Agreement:
    """Run a network on pictures by both engines and by the interpreter.

    ONNX Runtime runs the graph as `gossamer.graph.to_onnx` writes it, roundings to int8 as pairs of
    QuantizeLinear and DequantizeLinear, with all that the processor has: it cannot be held to less.

    Args:
        graph: a network, in float32 or rounded to int8.
        x: (N, C, H, W) or (N, F), N ≥ 1.
        targets: instruction sets of our programs, as `gossamer.compile` takes them.
        threads: of each engine, ≥ 1.
        measure: choose kernels by time, as `gossamer.compile` does.

    Raises:
        MissingDependencyError: without onnx and onnxruntime.
        SpecError: for an instruction set that this processor does not have.
    """
    with ENGINES[RIVAL](Subject(graph, shape=x[:1].shape), threads=threads) as engine:
        rival = np.concatenate([engine(image[None]) for image in x])
    rounds = any(isinstance(node.op, Quantise) for node in graph.nodes)
    single, double = (interpret(graph, x, dtype=dtype) for dtype in (np.float32, np.float64))
    exact = single if rounds else double
    ours = {}
    for target in targets:
        with compile(graph, threads, measure=measure, target=target) as program:
            ours[target] = program(x)
    return Agreement(
        {target: distance(y, exact) for target, y in ours.items()},
        distance(rival, exact),
        distance(single, double),
        {target: distance(y, rival) for target, y in ours.items()},
    )
