"""What this machine can do at best: arithmetic from registers, and with each number read.

A sparse kernel reads one vector for each multiply-accumulate of a vector, so that two speeds bound
it: that of the arithmetic alone, and that of reading from the cache that the data lies in. Kernels
of codes multiply bytes, in the ways that the target has (`gossamer.jit.dot`): the fastest of them
is their peak.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from time import perf_counter
from typing import Any, Self

import numpy as np
from llvmlite import ir

from gossamer.jit import function
from gossamer.jit.dot_loop import turn_bytes, turn_quads, write_dot_loop
from gossamer.jit.emitter import INT64, POINTER, Emitter
from gossamer.jit.target import Target, host_target
from gossamer.jit.toolchain import Code, compile_ir

SIZES_BYTES = (16 * 2**10, 256 * 2**10, 2 * 2**20, 8 * 2**20, 64 * 2**20)
"""What is read: usually in the first, the second, the third cache (twice), and memory."""
_ARGUMENTS = (function.POINTER, function.INT64, function.INT64)
_CHAINS = 12
"""Independent sums: enough to keep the arithmetic busy, few enough for 16 registers."""
_SAMPLES = 7
_SAMPLE_MACS = 200_000


@dataclass(frozen=True)
class Limits:
    """Speeds of one thread, in 10⁹ multiply-accumulates a second.

    Args:
        arithmetic: of single floats in registers.
        reading: bytes of data that are walked → speed when each single float is read from there.
        codes: of bytes, added to 32-bit sums; None where it was not measured.
    """

    arithmetic: float
    reading: Mapping[int, float]
    codes: float | None = None

    def __str__(self) -> str:
        """Return for example "56 GMAC/s from registers; with each number read, 9 from 64 MiB"."""
        kept = ", ".join(f"{v:.0f} from {_amount(size)}" for size, v in self.reading.items())
        codes = "" if self.codes is None else f", {self.codes:.0f} of bytes"
        return f"{self.arithmetic:.0f} GMAC/s from registers{codes}; with each number read, {kept}"

    def best_of(self, other: Limits) -> Limits:
        """Return the higher of each speed; both have the same sizes."""
        reading = {size: max(speed, other.reading[size]) for size, speed in self.reading.items()}
        known = [codes for codes in (self.codes, other.codes) if codes is not None]
        codes = max(known, default=None)
        return Limits(max(self.arithmetic, other.arithmetic), reading, codes)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        reading = {str(size): speed for size, speed in self.reading.items()}
        return {"arithmetic": self.arithmetic, "reading": reading, "codes": self.codes}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild limits from `to_dict()`; older ones say nothing of codes."""
        reading = {int(size): float(speed) for size, speed in data["reading"].items()}
        codes = data.get("codes")
        return cls(float(data["arithmetic"]), reading, None if codes is None else float(codes))


@lru_cache(maxsize=8)
def machine_limits(target: Target) -> Limits:
    """Return `measure_limits` of a target, measured once a process."""
    return measure_limits(target)


def measure_limits(
    target: Target | None = None, sizes_bytes: tuple[int, ...] = SIZES_BYTES
) -> Limits:
    """Measure for some milliseconds.

    Args:
        target: whose instructions are used; this machine's unless given.
        sizes_bytes: amounts of data to walk, each at least 4 KiB.

    Examples:
        >>> limits = measure_limits(sizes_bytes=(4096,))
        >>> limits.arithmetic > 0 and limits.reading[4096] > 0
        True
    """
    target = target or host_target()
    module = ir.Module("limits")
    _write_loop(module, "arithmetic", target, reads=False)
    _write_loop(module, "reading", target, reads=True)
    for dot in target.dots:
        write_dot_loop(module, dot, target, dot)
    code = compile_ir(str(module), target)
    data = np.full(max((*sizes_bytes, 4096)) // 4 + 64, 1e-3, np.float32)
    floats = _CHAINS * target.vector_bytes, _CHAINS

    def speed(name: str, size_bytes: int, turn: tuple[int, int] = floats) -> float:
        return 1e-9 * target.lanes * _vectors_a_second(code, name, data, size_bytes, turn)

    codes = [
        4 * speed(dot, 4096, (turn_bytes(target, dot), turn_quads(dot))) for dot in target.dots
    ]
    reading = {size: speed("reading", size) for size in sizes_bytes}
    return Limits(speed("arithmetic", 4096), reading, max(codes))


def _vectors_a_second(
    code: Code, name: str, data: np.ndarray, size_bytes: int, turn: tuple[int, int]
) -> float:
    """Return how many vectors a loop multiplies; `turn` has its bytes and its vectors."""
    loop = function.native_function(code, name, None, *_ARGUMENTS)
    start = -(-data.ctypes.data // 64) * 64
    turns = max(1, size_bytes // turn[0])
    rounds = max(1, _SAMPLE_MACS // (turns * turn[1]))
    places, seconds = max(1, data.nbytes // size_bytes - 1), []
    for sample in range(_SAMPLES):
        # Some caches guess by the address, and read some places at two thirds of the speed.
        place = start + sample % places * size_bytes
        loop(place, 1, turns)
        begin = perf_counter()
        loop(place, rounds, turns)
        seconds.append(perf_counter() - begin)
    return rounds * turns * turn[1] / min(seconds)


def _amount(size_bytes: int) -> str:
    return f"{size_bytes >> 20} MiB" if size_bytes >= 2**20 else f"{size_bytes >> 10} KiB"


def _write_loop(module: ir.Module, name: str, target: Target, *, reads: bool) -> None:
    """Write (data, rounds, turns): each turn adds products to all sums."""
    e = Emitter(module, name, [POINTER, INT64, INT64], target.lanes)
    data, rounds, turns = e.arguments
    held = [e.load_vector(data, v * e.vector_bytes) for v in range(2)]
    # Every sum starts elsewhere: equal ones would be made into one.
    sums = [e.constant(float(chain)) for chain in range(_CHAINS)]
    with e.carried_loop(0, rounds, 1, sums) as (_, sums, set_sums):
        with e.carried_loop(0, turns, 1, sums) as (turn, now, set_next):
            at = e.at(data, e.multiply(turn, _CHAINS * e.vector_bytes))
            terms = [
                e.load_vector(at, v * e.vector_bytes) if reads else held[1] for v in range(_CHAINS)
            ]
            set_next([e.fma(held[0], term, old) for term, old in zip(terms, now, strict=True)])
        set_sums(e.loop_results)
    for index, total in enumerate(e.loop_results):
        e.store_vector(total, data, index * e.vector_bytes)
    e.finish()
