"""A turn of a stream costs few reads, and what is read means what was written."""

from __future__ import annotations

import re

import numpy as np
import pytest
from llvmlite import ir

from gossamer.compile.kernels.conv import ConvKernel
from gossamer.compile.kernels.turn import read_offsets, read_weights, take_offsets, take_weights
from gossamer.jit.emitter import POINTER, Emitter
from gossamer.jit.function import POINTER as ADDRESS
from gossamer.jit.function import native_function
from gossamer.jit.target import host_target, narrowed
from gossamer.jit.toolchain import assembly, compile_ir

X86 = "x86_64" in host_target().triple


@pytest.mark.parametrize("offset_bytes", [2, 4])
@pytest.mark.parametrize("count", [*range(1, 10), 12])
def test_what_is_taken_is_what_was_written(count: int, offset_bytes: int) -> None:
    target, module = host_target(), ir.Module("turn")
    e = Emitter(module, "spread", [POINTER, POINTER, POINTER], target.lanes)
    turn, weights, offsets = e.arguments
    for i, vector in enumerate(take_weights(e, read_weights(e, turn, count), count)):
        e.store_vector(vector, weights, i * e.vector_bytes)
    words = read_offsets(e, turn, 4 * count, count, offset_bytes)
    for i, offset in enumerate(take_offsets(e, words, offset_bytes, 32)):
        e.store(offset, offsets, 8 * i, align=8)
    e.finish()
    call = native_function(compile_ir(str(module), target), "spread", None, *[ADDRESS] * 3)

    numbers = np.arange(1, count + 1, dtype=np.float32)
    places = (2 ** (8 * offset_bytes - 5) - 1 - np.arange(count)).astype(f"u{offset_bytes}")
    stream = np.concatenate([numbers.view(np.uint8), places.view(np.uint8)])
    spread = np.zeros(count * target.lanes + 16, np.float32)
    first = -spread.ctypes.data % 64 // 4
    found = np.zeros(count, np.int64)
    call(stream.ctypes.data, spread.ctypes.data + 4 * first, found.ctypes.data)
    lanes = spread[first:][: count * target.lanes].reshape(count, target.lanes)
    assert (lanes == numbers[:, None]).all()
    assert (found == 32 * places.astype(np.int64)).all()


@pytest.mark.skipif(not X86 or host_target().lanes < 8, reason="not a processor with AVX2")
@pytest.mark.parametrize(
    ("kernel", "beside"),
    [
        # Beside the inputs of each multiply-accumulate: weights, offsets and the prefetch.
        (ConvKernel(2, 1, 7, unroll=2, blocked=True), 3),
        (ConvKernel(1, 1, 14, unroll=4), 3),
        (ConvKernel(1, 1, 14, unroll=2, adds=True), 3),
        (ConvKernel(2, 1, 7, unroll=1, stride_w=2), 3),
        (ConvKernel(1, 1, 14, unroll=4, step_bytes=960), 3),
        (ConvKernel(2, 1, 6, unroll=2, step_bytes=960), 3),
    ],
    ids=lambda value: value.label() if isinstance(value, ConvKernel) else None,
)
def test_a_turn_reads_weights_and_offsets_once_each(kernel: ConvKernel, beside: int) -> None:
    module = ir.Module("kernel")
    kernel.emit(module, narrowed(host_target(), "avx2"))
    blocks = re.split(r"\n(?=\.L)", assembly(str(module), narrowed(host_target(), "avx2")))
    loop = max(blocks, key=lambda block: block.count("vfmadd"))
    products = kernel.turn_weights * kernel.tile_h * kernel.tile_w
    assert loop.count("vfmadd") == products
    reads = [line for line in loop.splitlines() if "(" in line and "lea" not in line]
    assert len(reads) == products + beside
