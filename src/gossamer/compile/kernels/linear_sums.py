"""What linear kernels of weights in any form do with their sums."""

from __future__ import annotations

from gossamer.compile.kernels.activation import activate
from gossamer.compile.kernels.kernel import KernelEmitter, Values
from gossamer.jit.emitter import Value

PREFETCH_BYTES = 2048
"""How far ahead a stream is asked for: weights of linear layers come from far."""
LINE_BYTES = 64


def ask_for(e: KernelEmitter, at: Value, turn_bytes: int) -> None:
    """Ask for a turn's share of what comes later in the stream."""
    for line in range(0, turn_bytes, LINE_BYTES):
        e.prefetch(at, PREFETCH_BYTES + line)


def finish_rows(e: KernelEmitter, block: Value, sums: Values, activation: str) -> None:
    """Multiply the sums of a block's rows by their factors, add biases, activate and store."""
    factors, biases, y = (e.pointer(slot) for slot in ("factors", "biases", "output"))
    at_block = e.multiply(block, len(sums) * e.vector_bytes)
    for v, total in enumerate(sums):
        place = e.add(at_block, v * e.vector_bytes)
        factor, bias = e.load(e.vector, factors, place), e.load(e.vector, biases, place)
        e.store(activate(e, e.fma(total, factor, bias), activation), y, place)
