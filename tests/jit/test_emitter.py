from __future__ import annotations

import ctypes

import numpy as np
from llvmlite import ir

from gossamer.jit.emitter import FLOAT, INT64, POINTER, Emitter
from gossamer.jit.target import host_target
from gossamer.jit.toolchain import compile_ir


def test_loops_carry_values() -> None:
    module = ir.Module("test")
    e = Emitter(module, "sum_of_squares", [INT64], 4, INT64)
    with e.carried_loop(0, e.arguments[0], 1, [e.integer(0)]) as (index, (total,), set_next):
        set_next([e.add(total, e.multiply(index, index))])
    e.finish(e.loop_results[0])
    code = compile_ir(str(module), host_target())
    function = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(code.address("sum_of_squares"))
    assert [function(n) for n in (0, 1, 5)] == [0, 0, 30]


def apply_activation(function: str, values: list[float]) -> np.ndarray:
    module = ir.Module("test")
    e = Emitter(module, "apply", [POINTER, POINTER, INT64], 4)
    source, target, count = e.arguments
    with e.loop(0, count) as index:
        offset = e.multiply(index, 4)
        e.store(e.activate(e.load(FLOAT, source, offset), function), target, offset)
    e.finish()
    code = compile_ir(str(module), host_target())
    x, y = np.array(values, np.float32), np.zeros(len(values), np.float32)
    call = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(
        code.address("apply")
    )
    call(x.ctypes.data, y.ctypes.data, len(x))
    return y


def test_activations_keep_what_is_not_a_number() -> None:
    values = [np.nan, -np.inf, -1.0, 0.0, 3.0, 7.0, np.inf]
    assert np.array_equal(
        apply_activation("relu", values), [np.nan, 0, 0, 0, 3, 7, np.inf], equal_nan=True
    )
    assert np.array_equal(
        apply_activation("relu6", values), [np.nan, 0, 0, 0, 3, 6, 6], equal_nan=True
    )
    assert np.array_equal(apply_activation("identity", values), values, equal_nan=True)
