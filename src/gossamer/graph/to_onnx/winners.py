"""The ONNX nodes of k winners: ONNX has the k largest, not what is left without the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gossamer.graph.ops import KWinners

if TYPE_CHECKING:
    from gossamer.graph.to_onnx.writer import Writer


def keep_winners(writer: Writer, source: str, op: KWinners, output: str) -> None:
    """Find the largest of each line, and scatter them into zeros; k is computed where it varies."""
    rank = len(writer.shapes[source])
    if rank == 2 and op.over == "map":  # of one entry each: all win
        writer.add("Identity", [source], output)
        return
    if rank == 2 or op.over == "channels":
        _scatter(writer, source, 1, op, output)
        return
    lines, shape, kept = (f"{output}/{part}" for part in ("lines", "shape", "kept"))
    writer.add("Shape", [source], shape)
    if op.over == "image":
        writer.add("Flatten", [source], lines, axis=1)
    else:
        sizes = writer.initialiser(f"{output}/sizes", np.array([0, 0, -1], np.int64))
        writer.add("Reshape", [source, sizes], lines)
    _scatter(writer, lines, {"image": 1, "map": 2}[op.over], op, kept)
    writer.add("Reshape", [kept, shape], output)


def _scatter(writer: Writer, lines: str, axis: int, op: KWinners, output: str) -> None:
    shape, largest, places, zeros = (
        f"{output}/{part}" for part in ("line_shape", "largest", "places", "zeros")
    )
    writer.add("Shape", [lines], shape)
    writer.add("TopK", [lines, _count(writer, shape, axis, op, output)], largest, places, axis=axis)
    writer.add("ConstantOfShape", [shape], zeros)
    writer.add("ScatterElements", [zeros, places, largest], output, axis=axis)


def _count(writer: Writer, shape: str, axis: int, op: KWinners, output: str) -> str:
    """Return the name of k = ⌈density · n⌉; see `gossamer.counts.winner_count`."""
    at = writer.initialiser(f"{output}/axis", np.array([axis], np.int64))
    density = writer.initialiser(f"{output}/density", np.array(op.density, np.float64))
    little = writer.initialiser(f"{output}/little", np.array(1e-9, np.float64))
    names = [f"{output}/{part}" for part in ("entries", "real", "share", "less", "whole", "count")]
    writer.add("Gather", [shape, at], names[0])
    writer.add("Cast", [names[0]], names[1], to=11)  # double
    writer.add("Mul", [names[1], density], names[2])
    writer.add("Sub", [names[2], little], names[3])
    writer.add("Ceil", [names[3]], names[4])
    writer.add("Cast", [names[4]], names[5], to=7)  # int64
    return names[5]
