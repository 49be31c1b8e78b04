"""The parts of a `.goss` file, in bytes."""

from __future__ import annotations

from pathlib import Path

from gossamer.codec.inspect import inspect_file
from gossamer.report.pictures import Part


def file_parts(path: Path) -> tuple[Part, ...]:
    """Return weight tensors, vectors, header and frame; together they are the whole file."""
    report = inspect_file(path)
    vectors = sum(tensor.size_bytes for tensor in report.tensors if len(tensor.shape) == 1)
    return (
        *(Part(t.name, t.size_bytes) for t in report.tensors if len(t.shape) > 1),
        Part("biases and scales", vectors),
        Part("header", report.header_bytes),
        Part("frame", report.frame_bytes),
    )
