from __future__ import annotations

import ctypes

from llvmlite import ir

from gossamer.jit.emitter import INT64, Emitter
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
