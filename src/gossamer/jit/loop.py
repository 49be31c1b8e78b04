"""Loops written once, in plain Python: slow as they stand, fast translated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

Int: TypeAlias = int
U8: TypeAlias = Any
U16: TypeAlias = Any
I16: TypeAlias = Any
U32: TypeAlias = Any
I32: TypeAlias = Any
I64: TypeAlias = Any

_DTYPES = {
    "U8": np.uint8,
    "U16": np.uint16,
    "I16": np.int16,
    "U32": np.uint32,
    "I32": np.int32,
    "I64": np.int64,
}


class Loop:
    """A function of the part of Python that `gossamer.jit.translate` understands.

    Called, it runs as machine code, compiled on first use and kept on disk; calls release the
    interpreter lock. Nothing is checked there: a wrong index ends the process, so callers check
    what they pass. `plain` runs the same text in Python, which is slow and checks everything.

    Args:
        function: its parameters annotated.

    Examples:
        >>> def total(values: I32, count: Int) -> Int:
        ...     found = 0
        ...     for index in range(count):
        ...         found += values[index]
        ...     return found
        >>> Loop(total)(np.arange(5, dtype=np.int32), 5)
        10
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self._native: Callable[..., int] | None = None
        self._kinds: list[str] = []

    def __call__(self, *arguments: np.ndarray | int) -> int:
        """Run as machine code.

        Raises:
            TypeError: if an array has another type than its annotation, or is not contiguous.
        """
        native = self._native or self._compile()
        pairs = zip(self._kinds, arguments, strict=True)
        return native(*(self._plain_argument(kind, argument) for kind, argument in pairs))

    def plain(self, *arguments: np.ndarray | int) -> int:
        """Run as Python: entries are Python's integers, and what does not fit is refused."""
        views = [a.data if isinstance(a, np.ndarray) else a for a in arguments]
        return self.function(*views) or 0

    def _compile(self) -> Callable[..., int]:
        # LLVM takes as long to import as a small file to read: only when there is a loop to run.
        from gossamer.jit.function import INT64, POINTER, native_function
        from gossamer.jit.target import host_target, without_gathers
        from gossamer.jit.toolchain import compile_ir
        from gossamer.jit.translate import parameters, translate

        self._kinds = parameters(self.function)
        target = without_gathers(host_target())
        code = compile_ir(translate(self.function), target, whole_pipeline=True)
        types = [INT64 if kind == "Int" else POINTER for kind in self._kinds]
        self._native = native_function(code, self.function.__name__, INT64, *types)
        return self._native

    @staticmethod
    def _plain_argument(kind: str, argument: np.ndarray | int) -> int:
        if kind == "Int":
            return int(argument)
        if (
            not isinstance(argument, np.ndarray)
            or argument.dtype != _DTYPES[kind]
            or not argument.flags.c_contiguous
        ):
            raise TypeError(f"not a contiguous array of {kind}: {type(argument).__name__}")
        return argument.ctypes.data
