"""Linear layers of codes: output rows go in blocks of one vector, one row a lane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llvmlite import ir

from gossamer.compile.kernels.activation import activate
from gossamer.compile.kernels.kernel import Kernel, KernelEmitter
from gossamer.compile.kernels.requantise import within
from gossamer.compile.kernels.rounding import rounded
from gossamer.jit.dot import WORDS, dot_product, prepare
from gossamer.jit.emitter import BYTE, FLOAT, INT32


@dataclass(frozen=True)
class FlatEncodeKernel(Kernel):
    """Flat real numbers → codes, one after the other.

    `levels` holds the scale, the lowest and the highest level counted from zero, and the code of
    zero as a real number.
    """

    slots: ClassVar[tuple[str, ...]] = ("input", "output", "levels", "entry_shares")

    def label(self) -> str:
        """Return "u8-flat-encode"."""
        return "u8-flat-encode"

    def body(self, emitter: KernelEmitter) -> None:
        """Write: for each entry, round and store a byte."""
        e, b = emitter, emitter.builder
        x, y, levels = (e.pointer(s) for s in ("input", "output", "levels"))
        scale, low, high, zero = (e.load(FLOAT, levels, 4 * i) for i in range(4))
        with e.loop(*e.share("entry_shares")) as entry:
            value = b.fdiv(e.load(FLOAT, x, e.multiply(entry, 4)), scale)
            level = b.fadd(rounded(e, within(e, value, low, high)), zero)
            e.store(b.trunc(b.fptosi(level, INT32), BYTE), y, entry, align=1)


@dataclass(frozen=True)
class CodeLinearKernel(Kernel):
    """y = activation(factor · (W x + start) + term) for flat codes x.

    Args:
        dot: how products are added (`gossamer.jit.dot`); not "short".
        unroll: sums that a row has, so that they need not wait for each other.
        activation: applied before the store.

    Stream of a block of rows: for each quad of inputs, the words of its weights, one a lane.
    `starts`, `factors` and `terms` hold one number a row. The output has room for whole vectors.
    """

    dot: str
    unroll: int
    activation: str = "identity"

    slots: ClassVar[tuple[str, ...]] = (
        "input",
        "output",
        "turns",
        "stream",
        "starts",
        "factors",
        "terms",
        "block_shares",
    )

    def label(self) -> str:
        """Return for example "u8-linear-4-vnni-relu"."""
        return f"u8-linear-{self.unroll}-{self.dot}-{self.activation}"

    def body(self, emitter: KernelEmitter) -> None:
        """Write: for each block, walk the quads of inputs."""
        e, b = emitter, emitter.builder
        x, y, stream = (e.pointer(s) for s in ("input", "output", "stream"))
        turns, words = e.number("turns"), WORDS[self.dot]
        quad_bytes = words * e.vector_bytes
        block_bytes = e.multiply(turns, self.unroll * quad_bytes)
        nothing = ir.Constant(e.int_vector, None)
        with e.loop(*e.share("block_shares")) as block:
            at_block = e.multiply(block, e.vector_bytes)
            start = e.load(e.int_vector, e.pointer("starts"), at_block)
            first = [e.at(stream, e.multiply(block, block_bytes)), start]
            first += [nothing] * (self.unroll - 1)
            with e.carried_loop(0, turns, 1, first) as (turn, (at, *sums), set_next):
                e.prefetch(at, 2048)
                inputs = e.at(x, e.multiply(turn, 4 * self.unroll))
                result = []
                for u, total in enumerate(sums):
                    code = b.bitcast(e.splat(e.load(FLOAT, inputs, 4 * u)), e.int_vector)
                    places = [u * quad_bytes + i * e.vector_bytes for i in range(words)]
                    weights = [e.load(e.int_vector, at, place) for place in places]
                    parts = prepare(e, code, self.dot)
                    result.append(dot_product(e, total, [parts], [weights], self.dot))
                set_next([e.at(at, self.unroll * quad_bytes), *result])
            total = e.loop_results[1]
            for other in e.loop_results[2:]:
                total = b.add(total, other)
            factor, term = (
                e.load(e.vector, e.pointer(name), at_block) for name in ("factors", "terms")
            )
            value = e.fma(b.sitofp(total, e.vector), factor, term)
            e.store(activate(e, value, self.activation), y, at_block)
