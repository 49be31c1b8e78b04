"""A loop of nothing but products of bytes, for `gossamer.jit.limits`.

It is made of what the kernels are made of (`gossamer.jit.dot`), and leaves out what they do
besides: inputs lie ready in registers, and weights are read as whole vectors from the first cache,
so that LLVM cannot take the products out of the loop.
"""

from __future__ import annotations

from llvmlite import ir

from gossamer.jit.dot import WORDS, dot_product, prepare
from gossamer.jit.emitter import INT64, POINTER, Emitter, Value
from gossamer.jit.target import Target

ROWS = 4
QUADS = {"short": 2}
"""Of a vector of inputs in a turn, if not one: `short` adds the products of two in 16 bits."""
VECTORS = {"vnni": 3, "sdot": 3, "madd": 2, "short": 1, "plain": 1}
"""Of inputs, so that they and the sums have room in 16 registers: sums in memory would wait."""


def turn_bytes(target: Target, dot: str) -> int:
    """Return the bytes of weights that a turn reads."""
    return ROWS * QUADS.get(dot, 1) * WORDS[dot] * target.vector_bytes


def turn_quads(dot: str) -> int:
    """Return how many vectors of quads a turn multiplies with weights."""
    return ROWS * QUADS.get(dot, 1) * VECTORS[dot]


def write_dot_loop(module: ir.Module, name: str, target: Target, dot: str) -> None:
    """Write (data, rounds, turns): each turn adds products of bytes to all sums."""
    e = Emitter(module, name, [POINTER, INT64, INT64], target.lanes)
    data, rounds, turns = e.arguments
    quads, vectors, words = range(QUADS.get(dot, 1)), range(VECTORS[dot]), range(WORDS[dot])

    def load(pointer: Value, index: int) -> Value:
        return e.load(e.int_vector, pointer, index * e.vector_bytes, align=e.vector_bytes)

    inputs = [[prepare(e, load(data, v * len(quads) + u), dot) for u in quads] for v in vectors]
    sums = [load(data, index) for index in range(ROWS * len(inputs))]
    with e.carried_loop(0, rounds, 1, sums) as (_, sums, set_sums):
        with e.carried_loop(0, turns, 1, sums) as (turn, now, set_next):
            at, following = e.at(data, e.multiply(turn, turn_bytes(target, dot))), []
            for row in range(ROWS):
                first = [(row * len(quads) + u) * len(words) for u in quads]
                weights = [[load(at, i + word) for word in words] for i in first]
                for v, vector in enumerate(inputs):
                    total = now[row * len(inputs) + v]
                    following.append(dot_product(e, total, vector, weights, dot))
            set_next(following)
        set_sums(e.loop_results)
    for index, total in enumerate(e.loop_results):
        e.store(total, data, index * e.vector_bytes, align=e.vector_bytes)
    e.finish()
