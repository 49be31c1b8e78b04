"""How much an ONNX file may ask of its reader."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OnnxLimits:
    """Caps that are checked before anything is allocated; raise them for files that you trust.

    Args:
        file_bytes: largest file, and largest tensor in a file of external data.
        nodes: most operators, those of the file's own functions counted as often as they are used.
        entries: most entries of all constants together, zeros included, and of any constant that is
            computed from others.

    Examples:
        >>> OnnxLimits(nodes=100).nodes
        100
    """

    file_bytes: int = 2**30
    nodes: int = 2**14
    entries: int = 2**28
