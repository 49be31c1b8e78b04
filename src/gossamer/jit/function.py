"""Generated functions that Python calls: native loops of coders and of the runtime."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gossamer.jit.toolchain import Code

POINTER = ctypes.c_void_p
INT64 = ctypes.c_int64


def native_function(code: Code, name: str, result: Any, *arguments: Any) -> Callable[..., int]:
    """Return a function of `code` as one of Python's; it keeps the code alive.

    Calls release the interpreter lock. Nothing is checked: a wrong address ends the process.

    Args:
        code: made by `compile_ir`.
        name: of the function.
        result: `INT64`, or None for nothing.
        arguments: `POINTER` or `INT64` each.

    Raises:
        CompileError: if there is no function of that name.

    Examples:
        >>> from gossamer.jit.target import host_target
        >>> from gossamer.jit.toolchain import compile_ir
        >>> text = "define i64 @twice(i64 %x) { %y = add i64 %x, %x ret i64 %y }"
        >>> native_function(compile_ir(text, host_target()), "twice", INT64, INT64)(21)
        42
    """
    function = ctypes.CFUNCTYPE(result, *arguments)(code.address(name))
    function.code = code  # pyright: ignore[reportAttributeAccessIssue]
    return function
