"""The levels of a tensor, one after another: integers, as (filter, channel, tap)."""

from __future__ import annotations

from gossamer.codec.mixing.from_middle import code_from_middle
from gossamer.codec.mixing.from_zero import code_from_zero
from gossamer.codec.mixing.neighbours import (
    KERNEL_SUM,
    VERSION,
    begin_filter,
    begin_kernel,
    estimate,
    look,
    remember,
)
from gossamer.codec.mixing.sign_first import code_sign_first
from gossamer.codec.parity import next_state
from gossamer.jit.loop import I16, I32, I64, U8, U32, Int

LONGEST = 15
"""Of a magnitude, in bits."""


def code_filters(
    data: U8,
    state: I64,
    tables: I32,
    slots: U32,
    weights: I32,
    inputs: I32,
    bases: I64,
    levels: I16,
    seen: I64,
    sums: I64,
    channels: Int,
    taps: Int,
    row: Int,
    first: Int,
    last: Int,
    longest: Int,
    version: Int,
    chained: Int,
) -> Int:
    """Code the filters first … last − 1 of a tensor (K, channels, taps), kernels of `row` columns.

    Where levels are chained, their lowest bits are those of `gossamer.codec.parity`, not coded.

    `sums` has, zero before the first filter: the magnitudes so far of each channel (channels), of
    each place (channels · taps), the levels so far of each place (as many), the magnitudes of each
    tap (taps), the mean of each tap against the tensor's in 1/256 (taps), and the weights of the
    prediction (16 · taps).
    """
    seen[VERSION] = version
    for k in range(first, last):
        begin_filter(seen, sums, channels, taps, k)
        chain = 0
        for c in range(channels):
            begin_kernel(seen, sums, channels, taps, k, c)
            for t in range(taps):
                at = (k * channels + c) * taps + t
                look(seen, levels, channels, taps, row, k, c, t)
                estimate(seen, sums, tables, channels, taps, k, c, t)
                level = levels[at]
                told = chain & 1 if chained else -1
                if version > 5:
                    level = code_sign_first(
                        data,
                        state,
                        tables,
                        slots,
                        weights,
                        inputs,
                        bases,
                        seen,
                        longest,
                        told,
                        level,
                    )
                elif version > 3:
                    level = code_from_middle(
                        data,
                        state,
                        tables,
                        slots,
                        weights,
                        inputs,
                        bases,
                        seen,
                        longest,
                        told,
                        level,
                    )
                else:
                    level = code_from_zero(
                        data, state, tables, slots, weights, inputs, bases, seen, longest, level
                    )
                chain = next_state(chain, level)
                levels[at] = level
                remember(seen, sums, channels, taps, c, t, level)
            sums[c] = sums[c] + seen[KERNEL_SUM]
    return 0
