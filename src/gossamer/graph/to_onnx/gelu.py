"""GELU in operators that every version of ONNX has, in the form that engines know again."""

from __future__ import annotations

from math import pi
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from gossamer.graph.to_onnx.writer import Writer


def write_gelu(writer: Writer, source: str, function: str, output: str) -> None:
    """Add x · (1 + f) / 2 with f = erf(x / √2), or tanh(√(2/π) · (x + 0.044715 · x³))."""

    def number(value: float) -> str:
        return writer.initialiser(f"gelu/{value:.6g}", np.array(value, np.float32))

    def add(kind: str, label: str, *inputs: str) -> str:
        name = f"{output}/{label}"
        writer.add(kind, inputs, name)
        return name

    if function == "gelu":
        gate = add("Erf", "erf", add("Div", "scaled", source, number(2**0.5)))
    else:
        cube = add("Mul", "cube", add("Mul", "square", source, source), source)
        term = add("Mul", "term", cube, number(0.044715))
        inner = add("Mul", "inner", add("Add", "sum", source, term), number((2 / pi) ** 0.5))
        gate = add("Tanh", "tanh", inner)
    twice = add("Mul", "twice", source, add("Add", "gate", gate, number(1.0)))
    writer.add("Mul", [twice, number(0.5)], output)
