from __future__ import annotations

import ctypes

import numpy as np
import pytest
from llvmlite import ir

from gossamer.jit.emitter import FLOAT, INT64, POINTER, Emitter
from gossamer.jit.target import host_target, narrowed
from gossamer.jit.toolchain import assembly, compile_ir


def test_loops_carry_values() -> None:
    module = ir.Module("test")
    e = Emitter(module, "sum_of_squares", [INT64], 4, INT64)
    with e.carried_loop(0, e.arguments[0], 1, [e.integer(0)]) as (index, (total,), set_next):
        set_next([e.add(total, e.multiply(index, index))])
    e.finish(e.loop_results[0])
    code = compile_ir(str(module), host_target())
    function = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(code.address("sum_of_squares"))
    assert [function(n) for n in (0, 1, 5)] == [0, 0, 30]


def test_products_are_added_without_calls_where_the_processor_cannot_fuse() -> None:
    for isa in ("host", "portable"):
        target, module = narrowed(host_target(), isa), ir.Module("test")
        e = Emitter(module, "add_product", [POINTER], target.lanes)
        value = e.load_vector(e.arguments[0])
        e.store_vector(e.fma(value, value, e.constant(1.0)), e.arguments[0])
        e.finish()
        assert "call" not in assembly(str(module), target)
        code = compile_ir(str(module), target)
        memory = np.arange(64, dtype=np.float32)
        at = -memory.ctypes.data % 64 // 4
        inside = memory[at : at + target.lanes]
        expected = inside * inside + 1
        ctypes.CFUNCTYPE(None, ctypes.c_void_p)(code.address("add_product"))(inside.ctypes.data)
        assert np.array_equal(inside, expected)


def test_constants_and_splats_fill_all_lanes_and_keep_their_sign() -> None:
    module = ir.Module("test")
    e = Emitter(module, "store", [POINTER], 4)
    for place, value in enumerate((0.0, -0.0, 1.5)):
        e.store(e.constant(value), e.arguments[0], 16 * place)
    e.store(e.splat(ir.Constant(FLOAT, -2.5)), e.arguments[0], 48)
    e.finish()
    code = compile_ir(str(module), host_target())
    memory = np.ones(16, np.float32)
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(code.address("store"))(memory.ctypes.data)
    expected = np.repeat(np.array([0.0, -0.0, 1.5, -2.5], np.float32), 4)
    assert memory.tobytes() == expected.tobytes()


@pytest.mark.parametrize("lanes", [4, 8, 16])
def test_a_square_of_vectors_is_transposed(lanes: int) -> None:
    module = ir.Module("test")
    e = Emitter(module, "transpose", [POINTER], lanes)
    rows = [e.load(e.vector, e.arguments[0], 4 * lanes * row) for row in range(lanes)]
    for column, vector in enumerate(e.transpose(rows)):
        e.store(vector, e.arguments[0], 4 * lanes * column)
    e.finish()
    code = compile_ir(str(module), host_target())
    memory = np.arange(lanes * lanes, dtype=np.float32).reshape(lanes, lanes)
    expected = memory.T.copy()
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(code.address("transpose"))(memory.ctypes.data)
    assert np.array_equal(memory, expected)
