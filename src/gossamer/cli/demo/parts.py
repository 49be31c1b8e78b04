"""The parts of a `.goss` file, in bytes."""

from __future__ import annotations

from pathlib import Path

from gossamer.codec.inspect import inspect_file
from gossamer.report.pictures import Part


def file_parts(path: Path) -> tuple[Part, ...]:
    """Return the tensors, the header and the frame; together they are the whole file."""
    report = inspect_file(path)
    return (
        *(Part(tensor.name, tensor.size_bytes) for tensor in report.tensors),
        Part("header", report.header_bytes),
        Part("frame", report.frame_bytes),
    )
