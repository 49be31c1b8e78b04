"""The native loop of the Huffman decoder: look up the next bits, put the symbol down, move on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import lru_cache

from gossamer.jit.function import INT64, POINTER, native_function
from gossamer.jit.target import host_target
from gossamer.jit.toolchain import compile_ir

AHEAD_BYTES = 3
"""Bytes after the last one of a stream that the loop reads, and does not use."""


@lru_cache(maxsize=1)
def decode_loop() -> Callable[[int, int, int, int, int, int, int], int]:
    """Return the loop, compiled once a process.

    (data, bit, end, table, width, symbols, count) → the bit after the last code, or ~(symbols
    found) if the bits end before. `data` is the address of the stream and `AHEAD_BYTES` more, read
    from `bit` on, no code beginning at `end` or later; `table` has for each number of `width` ≤ 16
    bits, uint32, the symbol with which it begins, and 2¹⁶ times the length of its code, ≥ 1;
    `symbols` has room for `count` uint16.
    """
    swap = (
        "call i32 @llvm.bswap.i32(i32 %loaded)"
        if sys.byteorder == "little"
        else "add i32 %loaded, 0"
    )
    code = compile_ir(_LOOP.replace("HIGHEST BYTE FIRST", swap), host_target())
    return native_function(
        code, "decode", INT64, POINTER, INT64, INT64, POINTER, INT64, POINTER, INT64
    )


_LOOP = """
declare i32 @llvm.bswap.i32(i32)

define i64 @decode(ptr %data, i64 %first, i64 %end, ptr %table, i64 %width, ptr %out, i64 %count) {
entry:
  %width_32 = trunc i64 %width to i32
  %rest = sub i32 32, %width_32
  br label %next
next:
  %done = phi i64 [0, %entry], [%done_then, %code]
  %bit = phi i64 [%first, %entry], [%bit_then, %code]
  %more = icmp ult i64 %done, %count
  br i1 %more, label %check, label %finished
check:
  %inside = icmp ult i64 %bit, %end
  br i1 %inside, label %code, label %short
code:
  %byte = lshr i64 %bit, 3
  %word_at = getelementptr i8, ptr %data, i64 %byte
  %loaded = load i32, ptr %word_at, align 1
  %word = HIGHEST BYTE FIRST
  %bit_32 = trunc i64 %bit to i32
  %past = and i32 %bit_32, 7
  %begun = shl i32 %word, %past
  %number = lshr i32 %begun, %rest
  %index = zext i32 %number to i64
  %found_at = getelementptr i32, ptr %table, i64 %index
  %found = load i32, ptr %found_at, align 4
  %symbol = trunc i32 %found to i16
  %out_at = getelementptr i16, ptr %out, i64 %done
  store i16 %symbol, ptr %out_at, align 2
  %length = lshr i32 %found, 16
  %length_64 = zext i32 %length to i64
  %bit_then = add i64 %bit, %length_64
  %done_then = add i64 %done, 1
  br label %next
finished:
  ret i64 %bit
short:
  %missed = xor i64 %done, -1
  ret i64 %missed
}
"""
