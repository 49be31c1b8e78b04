"""What lowering knows while it walks the graph: where each value is, and the steps so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np

from gossamer.compile.geometry import Planes
from gossamer.compile.kernels.kernel import Kernel
from gossamer.compile.kernels.move import HaloKernel, UnpackKernel
from gossamer.compile.lowering.bring import bring
from gossamer.compile.places import Places
from gossamer.compile.readers import outside_value
from gossamer.compile.regions import Place
from gossamer.compile.step import Argument, Buffer, Choice, Step, shares, touched_buffers
from gossamer.errors import CompileError
from gossamer.graph.graph import Graph, Node
from gossamer.graph.ops import Shape
from gossamer.jit.target import Target

LARGEST_BUFFER_BYTES = 2**31 - 1
LARGEST_PLANE_BYTES = 2**29


@dataclass(frozen=True, eq=False)
class Grid:
    """A value in planes: memory, layout, and which channel of the memory each channel is."""

    buffer: Buffer
    planes: Planes
    channels: np.ndarray

    def channel_offsets(self) -> np.ndarray:
        """Return (C,) int32 byte offsets of the value's channels."""
        return (self.channels * self.planes.channel_bytes).astype(np.int32)

    def pixel_offsets(self) -> np.ndarray:
        """Return (H · W,) int32 byte offsets of all pixels of channel 0."""
        planes, index = self.planes, self.planes.pixel_index()
        pixels = np.empty(planes.height * planes.width, np.int32)
        lane_bytes = 4 * np.arange(planes.lanes, dtype=np.int32)
        at = self.positions().reshape(planes.tile_h, planes.tile_w, 1) + lane_bytes
        pixels[index[index >= 0]] = at[index >= 0]
        return pixels

    def positions(self) -> np.ndarray:
        """Return (tile_h · tile_w,) int32 byte offsets of all tile positions."""
        tile_h, tile_w = self.planes.tile_h, self.planes.tile_w
        return self.planes.offsets(np.arange(tile_h), np.arange(tile_w)).ravel().astype(np.int32)


@dataclass
class Lowering:
    """The state of one lowering.

    Args:
        graph: being lowered.
        shapes: value → shape for one image.
        places: where values lie.
        target: for which code is made.
        threads: for which work is shared out.
        keep_infinities: whether kernels that make NaN of them are no choice.
    """

    graph: Graph
    shapes: Mapping[str, Shape]
    places: Places
    target: Target
    threads: int
    keep_infinities: bool = False
    steps: list[Step] = field(default_factory=list)
    grids: dict[tuple[str, Place], Grid] = field(default_factory=dict)
    flats: dict[str, Buffer] = field(default_factory=dict)
    fills: dict[tuple[Buffer, int], float] = field(default_factory=dict)

    # ── values ────────────────────────────────────────────────────────────────────────────────
    def new_flat(self, value: str) -> Buffer:
        """Make memory for a flat value, with room for whole vectors."""
        lanes = self.target.lanes
        entries = -(-prod(self.shapes[value][1:]) // lanes) * lanes
        self.flats[value] = self._buffer(value, 4 * entries)
        return self.flats[value]

    def new_grid(self, value: str, place: Place) -> Grid:
        """Make memory for a value in planes, or take its part of a concatenation's."""
        if value in self.places.hosts and self.places.homes[value] == place:
            host, first = self.places.hosts[value]
            whole = self.grids.get((host, place)) or self.new_grid(host, place)
            channels = whole.channels[first : first + self.shapes[value][1]]
            self.grids[value, place] = replace(whole, channels=channels)
            return self.grids[value, place]
        planes = self.places.planes(value, place, self.shapes[value], self.target.lanes)
        if planes.size_bytes // planes.channels > LARGEST_PLANE_BYTES:
            raise CompileError(
                "a picture is too large",
                where=f"value {value!r}",
                got=(planes.height, planes.width),
            )
        channels = np.arange(planes.channels)
        self.grids[value, place] = Grid(self._buffer(value, planes.size_bytes), planes, channels)
        return self.grids[value, place]

    def output_grid(self, node: Node) -> Grid:
        """Make memory for a node's result, where it was decided that it lies."""
        return self.new_grid(node.name, self.places.homes[node.name])

    def flat(self, value: str) -> Buffer:
        """Return a value's flat memory, copying it from planes if it lies there."""
        if value not in self.flats:
            self._unpack(value)
        return self.flats[value]

    def input_grid(self, node: Node, index: int = 0, fill: float | None = None) -> Grid:
        """Return an input of a node in planes, at the place where the node reads.

        Args:
            node: that reads.
            index: which input.
            fill: if given, everything outside the picture holds this value.
        """
        value, place = node.inputs[index], self.places.reads[node.name]
        if (value, place) not in self.grids:
            bring(self, value, place)
        grid = self.grids[value, place]
        if fill is not None:
            self._fill_halo(grid, fill, node.name)
        return grid

    # ── steps ─────────────────────────────────────────────────────────────────────────────────
    def emit(
        self, node: str, kernel: Kernel, arguments: dict[str, Argument], *, numbers: int = 0
    ) -> None:
        """Add a step with one way to run it; it reads and writes so many numbers of activations."""
        choice, buffers = Choice(kernel, lambda: arguments), touched_buffers(arguments)
        self.steps.append(Step(node, (choice,), buffers, numbers=numbers))

    def numbers(self, *values: str) -> int:
        """Return how many numbers there are in values, one image."""
        return sum(prod(self.shapes[value][1:]) for value in values)

    def channel_shares(self, channels: int) -> np.ndarray:
        """Share channels out over the threads."""
        return shares(channels, self.threads)

    def wrote(self, grid: Grid) -> None:
        """Note that a step wrote the grid's pixels: what lies outside is undefined again."""
        for channel in grid.channels:
            self.fills.pop((grid.buffer, int(channel)), None)

    def filled(self, grid: Grid, fill: float) -> None:
        """Note that everything outside the grid's pixels holds this value."""
        self.fills.update({(grid.buffer, int(c)): fill for c in grid.channels})

    def is_padded(self, grid: Grid) -> bool:
        """Whether some node reads zeros around the grid's pixels."""
        held = [key for key, other in self.grids.items() if other is grid]
        roots = {(self.places.root(value), place) for value, place in held}
        return not grid.planes.halo.is_empty and any(
            (self.places.root(node.inputs[0]), self.places.reads.get(node.name)) in roots
            and outside_value(self.graph, node) == 0.0
            for node in self.graph.nodes
        )

    def _buffer(self, value: str, size_bytes: int) -> Buffer:
        if size_bytes > LARGEST_BUFFER_BYTES:
            raise CompileError(
                "an activation is too large",
                where=f"value {value!r}",
                got=size_bytes,
                expected=LARGEST_BUFFER_BYTES,
            )
        return Buffer(value, size_bytes)

    def _unpack(self, value: str) -> None:
        grid = self.grids[value, self.places.homes[value]]
        pixels = grid.pixel_offsets()
        self.emit(
            value,
            UnpackKernel(),
            {
                "input": grid.buffer,
                "output": self.new_flat(value),
                "pixels": pixels,
                "pixel_count": len(pixels),
                "channels": grid.channel_offsets(),
                "channel_shares": self.channel_shares(len(grid.channels)),
            },
            numbers=self.numbers(value, value),
        )

    def _fill_halo(self, grid: Grid, fill: float, reader: str) -> None:
        stale = [c for c in grid.channels if self.fills.get((grid.buffer, int(c))) != fill]
        moves, inside = grid.planes.halo_table()
        if not stale or not len(moves):
            return
        channels = (np.array(sorted(set(stale))) * grid.planes.channel_bytes).astype(np.int32)
        self.emit(
            reader,
            HaloKernel(),
            {
                "planes": grid.buffer,
                "moves": moves,
                "move_count": len(moves),
                "inside": inside,
                "channels": channels,
                "fill": np.array([fill], np.float32),
                "channel_shares": self.channel_shares(len(channels)),
            },
            numbers=0,  # who writes the pixels can fill it, too
        )
        self.filled(grid, fill)
