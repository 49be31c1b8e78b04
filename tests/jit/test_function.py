from __future__ import annotations

import gc

import numpy as np
import pytest

from gossamer.errors import CompileError
from gossamer.jit.function import INT64, POINTER, native_function
from gossamer.jit.target import host_target
from gossamer.jit.toolchain import compile_ir

STORE = "define void @store(ptr %at, i64 %x) {\n  store i64 %x, ptr %at\n  ret void\n}\n"


def test_functions_keep_their_code_alive() -> None:
    store = native_function(compile_ir(STORE, host_target()), "store", None, POINTER, INT64)
    gc.collect()
    memory = np.zeros(1, np.int64)
    assert store(memory.ctypes.data, -5) is None
    assert memory[0] == -5


def test_unknown_functions_are_named() -> None:
    with pytest.raises(CompileError, match=r"no such function .*fetch"):
        native_function(compile_ir(STORE, host_target()), "fetch", None)
