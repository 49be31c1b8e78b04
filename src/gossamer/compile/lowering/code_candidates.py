"""Which kernels for a convolution of codes are worth a try, by a rough model of their time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gossamer.compile.kernels.code_conv import CodeConvKernel
from gossamer.compile.kernels.requantise import Epilogue
from gossamer.compile.lowering.code_streams import LARGEST_NARROW, CodeRows
from gossamer.compile.lowering.conv_candidates import (
    FIRST_CACHE_CYCLES,
    Windows,
    block_counts,
    read_cycles,
    tiles_of,
)
from gossamer.jit.dot import WORDS

DOT_CYCLES = {"vnni": 0.5, "madd": 1.0, "short": 0.8, "sdot": 0.5, "plain": 4.0}
"""Of multiplying a vector of quads with four weights."""
PREPARED = {"madd": 2, "plain": 4}
"""Vectors that inputs become before they are multiplied, if not one."""
LOAD_CYCLES = 0.5
WEIGHT_CYCLES = 0.15
"""Of bringing a weight into all lanes, beside the read."""
GROUP_CYCLES = 15.0
RESULT_CYCLES = 3.0
"""Of making a result of one vector of sums."""
SPARSE_BELOW = 0.7
WAITING_CYCLES = 2.0
"""Of a vector of sums that waits for the next block."""
MOST_CHOICES = 6


@dataclass(frozen=True)
class CodeCandidate:
    """A kernel, the number of blocks its taps come in, and its modelled time."""

    kernel: CodeConvKernel
    blocks: int
    cycles: float


def code_candidates(
    rows: CodeRows,
    windows: Windows,
    epilogue: Epilogue,
    dots: Sequence[str],
    *,
    echoes: bool = False,
) -> list[CodeCandidate]:
    """Return the kernels worth trying, the likeliest to be fast first."""
    density = np.count_nonzero(rows.words) / max(1, rows.words.size)
    wide = int(rows.offsets.max()) // (4 * windows.lanes) > LARGEST_NARROW
    found: list[CodeCandidate] = []
    for dot in dots:
        kernel = CodeConvKernel(
            dot, epilogue, 4, 1, 1, windows.stride[1], wide=wide, echoes=echoes
        )  # fmt: skip
        found += _shared(rows, windows, kernel)
        if density < SPARSE_BELOW:
            found += _sparse(rows, windows, kernel)
    found.sort(key=lambda candidate: candidate.cycles)
    # What blocks of taps gain depends on the machine: the best with them and without are timed.
    firsts = [*{candidate.kernel.blocked: candidate for candidate in reversed(found)}.values()]
    firsts.sort(key=lambda candidate: candidate.cycles)
    rest = [candidate for candidate in found if all(candidate is not first for first in firsts)]
    return [*firsts, *rest][:MOST_CHOICES]


def _shared(rows: CodeRows, windows: Windows, kernel: CodeConvKernel) -> Iterator[CodeCandidate]:
    words, prepared = WORDS[kernel.dot], PREPARED.get(kernel.dot, 1)
    for count in (4, 8, 12):
        same = np.diff(rows.bases)[np.arange(1, len(rows.bases)) % (count // 4) != 0]
        if count // 4 > len(rows.bases) or same.any():
            continue
        used = int(rows.used(count).sum())
        unroll = 2 if rows.words.shape[1] > 1 or kernel.dot == "short" else 1
        kept = unroll if kernel.dot == "short" else 1
        room = (windows.registers - 1 - words) // (count + prepared * kept)
        for tile in tiles_of(windows.tile, max(1, room), exact=False):
            vectors = tile[0] * tile[1]
            by_rows = 4 * words * used * count > windows.near_bytes[1] and tile != windows.tile
            step = count * vectors * DOT_CYCLES[kernel.dot] + (prepared - 1) * vectors * 0.5
            step += count * words * WEIGHT_CYCLES
            latency = max(1.0, 8 / (count * vectors))
            read = (vectors + count * words) * LOAD_CYCLES
            for blocks in [1] if by_rows else block_counts(windows, tile):
                farther = vectors * (read_cycles(windows, tile, blocks) - FIRST_CACHE_CYCLES)
                cycles = used * (max(step * latency, read) * 1.05 + farther + 0.5)
                yield _candidate(rows, windows, cycles, blocks, replace(
                    kernel, rows=count, tile_h=tile[0], tile_w=tile[1], unroll=unroll,
                    by_rows=by_rows, blocked=blocks > 1,
                ))  # fmt: skip


def _sparse(rows: CodeRows, windows: Windows, kernel: CodeConvKernel) -> Iterator[CodeCandidate]:
    counts = np.count_nonzero(rows.words, axis=1)
    words, prepared = WORDS[kernel.dot], PREPARED.get(kernel.dot, 1)
    choices = (2,) if kernel.dot == "short" else (4, 3, 2, 1)
    unroll = min(choices, key=lambda u: (_padded(counts, u), -u))
    step = DOT_CYCLES[kernel.dot] + (prepared - 1) * 0.5
    for tile in tiles_of(windows.tile, windows.registers - 2 - 2 * words, exact=False):
        vectors = tile[0] * tile[1]
        for blocks in block_counts(windows, tile):
            each = max(step * max(1.0, 8 / vectors), read_cycles(windows, tile, blocks))
            cycles = _padded(counts, unroll) * (vectors * each + 1.0 + 0.5 * words)
            yield _candidate(rows, windows, cycles, blocks, replace(
                kernel, shared=False, tile_h=tile[0], tile_w=tile[1], unroll=unroll,
                blocked=blocks > 1,
            ))  # fmt: skip


def _candidate(
    rows: CodeRows, windows: Windows, tile_cycles: float, blocks: int, kernel: CodeConvKernel
) -> CodeCandidate:
    """Add the time of groups and results to that of the taps of one tile, and count the tiles."""
    groups = -(-len(rows.words) // kernel.rows)
    vectors = kernel.rows * kernel.vectors
    ends = RESULT_CYCLES * vectors + blocks * GROUP_CYCLES * kernel.lists
    ends += (blocks - 1) * WAITING_CYCLES * vectors
    tiles = -(-windows.tile[0] // kernel.tile_h) * -(-windows.tile[1] // kernel.tile_w)
    return CodeCandidate(kernel, blocks, tiles * (tile_cycles + groups * ends))


def _padded(counts: np.ndarray, unroll: int) -> float:
    """Return the quads of all rows, each rounded up to whole turns."""
    return float((np.ceil(counts / unroll) * unroll).sum())
