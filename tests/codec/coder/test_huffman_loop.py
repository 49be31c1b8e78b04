"""The native loop alone: what it touches, whatever the bytes and the table say."""

import subprocess
import sys

import numpy as np
import pytest

from gossamer.codec.coder.huffman_loop import AHEAD_BYTES, decode_loop

CANARY = 0xBEEF


def run(data, first, end, table, width, count):
    padded = np.concatenate([data, np.zeros(AHEAD_BYTES, np.uint8)])
    symbols = np.full(count + 8, CANARY, np.uint16)
    result = decode_loop()(
        padded.ctypes.data, first, end, table.ctypes.data, width, symbols.ctypes.data, count
    )
    assert (symbols[count:] == CANARY).all()
    return result, symbols[:count].tolist()


def slow(data, first, end, table, width, count):
    bits = "".join(f"{byte:08b}" for byte in data) + "0" * 16
    symbols, bit = [CANARY] * count, first
    for done in range(count):
        if bit >= end:
            return ~done, symbols
        entry = int(table[int(bits[bit : bit + width], 2)])
        symbols[done] = entry & 0xFFFF
        bit += entry >> 16
    return bit, symbols


@pytest.mark.parametrize("width", [1, 2, 7, 15, 16])
def test_any_table_and_bytes_give_what_plain_python_gives(width):
    rng = np.random.default_rng(width)
    for _ in range(50):
        data = rng.integers(0, 256, rng.integers(1, 20), np.uint8)
        lengths = rng.integers(1, width + 1, 2**width).astype(np.uint32)
        table = rng.integers(0, 2**16, 2**width).astype(np.uint32) | lengths << 16
        first, end = int(rng.integers(0, 8 * len(data))), 8 * len(data)
        count = int(rng.integers(0, 60))
        arguments = data, first, end, table, width, count
        assert run(*arguments) == slow(*arguments)


@pytest.mark.skipif(sys.platform != "linux", reason="protects a page as Linux does")
def test_nothing_is_read_after_the_bytes_that_it_may_look_ahead_into():
    """The stream and its look-ahead end where a page begins that must not be read."""
    script = """
import ctypes, mmap
import numpy as np
from gossamer.codec.coder.huffman_loop import AHEAD_BYTES, decode_loop
page = mmap.PAGESIZE
memory = mmap.mmap(-1, 2 * page)
start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.mprotect(ctypes.c_void_p(start + page), ctypes.c_size_t(page), 0) == 0
for width in (1, 9, 16):
    for length in (1, 2, 3, 4, 5, 100):
        lengths = np.random.default_rng(width).integers(1, width + 1, 2**width)
        table = lengths.astype(np.uint32) << 16
        symbols = np.zeros(8 * length + 1, np.uint16)
        data = start + page - AHEAD_BYTES - length
        arguments = table.ctypes.data, width, symbols.ctypes.data, len(symbols)
        assert decode_loop()(data, 0, 8 * length, *arguments) < 0
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
