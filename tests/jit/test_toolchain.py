from __future__ import annotations

import ctypes
from dataclasses import replace

import pytest

from gossamer.errors import CompileError
from gossamer.jit.target import host_target
from gossamer.jit.toolchain import compile_ir

SQUARE = "define i64 @square(i64 %x) {\n  %y = mul i64 %x, %x\n  ret i64 %y\n}\n"


def test_code_runs_while_it_is_held() -> None:
    code = compile_ir(SQUARE, host_target(), with_assembly=True)
    square = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(code.address("square"))
    assert square(12) == 144
    assert "square" in code.assembly


def test_unknown_functions_are_named() -> None:
    with pytest.raises(CompileError, match=r"no such function .*cube"):
        compile_ir(SQUARE, host_target()).address("cube")


@pytest.mark.parametrize("text", ["define nonsense", "define i64 @f() {\n  ret i64 %x\n}"])
def test_bad_code_is_refused(text: str) -> None:
    with pytest.raises(CompileError, match="LLVM does not accept"):
        compile_ir(text, host_target())


def test_host_target_describes_this_machine() -> None:
    target = host_target()
    assert target.vector_bytes == 4 * target.lanes
    assert replace(target, lanes=4) != target
