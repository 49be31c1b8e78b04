"""What Winograd's kernel with windows in the lanes reads, and which such kernels are tried."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from gossamer.compile.kernels.winograd_planes import WinogradPlanesKernel
from gossamer.compile.lowering.channel_tables import (
    TILE_CYCLES,
    block_members,
    tap_cycles,
    unroll,
)
from gossamer.compile.lowering.conv_ways import Convolution, Way
from gossamer.compile.lowering.winograd_windows import (
    GROUP,
    UNROLLS,
    WinogradWindows,
    result_cycles,
    shared_arguments,
    way,
)
from gossamer.compile.step import Argument
from gossamer.runtime.memory import round_up

ROWS = {16: 4, 32: 8}
"""Registers → output channels of a tile, beside `GROUP` vectors of windows."""
VECTORS = 2
"""Of output channels in a block."""


def winograd_planes_ways(conv: Convolution, windows: WinogradWindows) -> Iterator[Way]:
    """Yield the way whose sums fill the registers, if nothing is added to."""
    rows = ROWS[conv.registers]
    few = min(len(chunk.windows) for chunk in windows.chunks) < GROUP
    if conv.adds or few or VECTORS * conv.lanes % rows:
        return
    kernel = WinogradPlanesKernel(
        windows.filter.outputs,
        conv.kernel[0],
        conv.op.stride[0],
        GROUP,
        VECTORS,
        unroll(GROUP, rows, windows.per_phase, UNROLLS),
        conv.op.activation,
        echoes=conv.echoes,
        rows=rows,
    )
    sizes = _sizes(conv, windows)
    memory = {"products": windows.products * sizes["nth_bytes"]}
    cycles = _cycles(len(conv.rows.weight), windows, kernel)
    yield way(conv, windows, kernel, cycles, memory, partial(_arguments, conv, windows))


def _cycles(rows: int, windows: WinogradWindows, kernel: WinogradPlanesKernel) -> float:
    taps = windows.summed * tap_cycles(kernel.pixels, kernel.rows)
    tiles = sum(-(-len(chunk.windows) // kernel.pixels) for chunk in windows.chunks)
    multiply = -(-rows // kernel.rows) * tiles * (taps + windows.products * TILE_CYCLES)
    return multiply + rows * len(windows.inputs) * result_cycles(windows.filter)


def _sizes(conv: Convolution, windows: WinogradWindows) -> dict[str, int]:
    """Return the bytes from the products of a channel, and of all, to the next."""
    row_bytes = round_up(4 * conv.lanes * windows.most_windows)
    return {"row_bytes": row_bytes, "nth_bytes": VECTORS * conv.lanes * row_bytes + 64}


def _arguments(conv: Convolution, windows: WinogradWindows) -> dict[str, Argument]:
    members = block_members(conv.rows, VECTORS * conv.lanes)
    none = [0] * len(windows.chunks)
    return {
        **shared_arguments(conv, windows, members, none),
        **_sizes(conv, windows),
        "places": _places(windows),
    }


def _places(windows: WinogradWindows) -> np.ndarray:
    """Return (windows, outputs) int32: where outputs go; −1 where an earlier window has it."""
    _, firsts = np.unique(windows.places, return_index=True)
    own = np.zeros(windows.places.size, bool)
    own[firsts] = True
    offsets = windows.picture.outputs[windows.places]
    return np.where(own.reshape(offsets.shape), offsets, -1).astype(np.int32)
