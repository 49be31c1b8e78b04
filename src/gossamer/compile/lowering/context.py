"""What lowering knows while it walks the graph: where each value is, and the steps so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np

from gossamer.compile.codes import CodePlan
from gossamer.compile.geometry import Halo, Planes
from gossamer.compile.kernels.kernel import Kernel
from gossamer.compile.kernels.move import HaloKernel, UnpackKernel
from gossamer.compile.lowering.bring import bring, copy_planes
from gossamer.compile.lowering.code_steps import decode
from gossamer.compile.places import Places
from gossamer.compile.readers import outside_value, window_stride
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

    @property
    def numbers(self) -> int:
        """How many 32-bit numbers the value's pixels are: floats, or quads of codes."""
        return len(self.channels) * self.planes.height * self.planes.width

    @property
    def picture_bytes(self) -> int:
        """Bytes of the value's vectors; a channel's rows do not follow each other."""
        planes = self.planes
        return len(self.channels) * planes.tile_h * planes.tile_w * planes.column_bytes

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
        code_plan: which values are held as codes.
        keep_infinities: whether kernels that make NaN of them are no choice.
        least_memory: whether weights that can be read as codes are.
    """

    graph: Graph
    shapes: Mapping[str, Shape]
    places: Places
    target: Target
    threads: int
    code_plan: CodePlan
    keep_infinities: bool = False
    least_memory: bool = False
    steps: list[Step] = field(default_factory=list)
    grids: dict[tuple[str, Place], Grid] = field(default_factory=dict)
    flats: dict[str, Buffer] = field(default_factory=dict)
    codes: dict[tuple[str, Place], Grid] = field(default_factory=dict)
    flat_codes: dict[str, Buffer] = field(default_factory=dict)
    fills: dict[tuple[Buffer, int], bytes] = field(default_factory=dict)

    # ── values ────────────────────────────────────────────────────────────────────────────────
    def new_flat(self, value: str, vectors: int = 1) -> Buffer:
        """Make memory for a flat value, with room for whole blocks of vectors."""
        block = vectors * self.target.lanes
        entries = -(-prod(self.shapes[value][1:]) // block) * block
        self.flats[value] = self._buffer(value, 4 * entries)
        return self.flats[value]

    def new_flat_codes(self, value: str, size_bytes: int) -> Buffer:
        """Make memory for the codes of a flat value."""
        self.flat_codes[value] = self._buffer(value, size_bytes)
        return self.flat_codes[value]

    def new_grid(self, value: str, place: Place) -> Grid:
        """Make memory for a value in planes, or take its part of a concatenation's."""
        if value in self.places.hosts and self.places.homes[value] == place:
            host, first = self.places.hosts[value]
            whole = self.grids.get((host, place)) or self.new_grid(host, place)
            channels = whole.channels[first : first + self.shapes[value][1]]
            self.grids[value, place] = replace(whole, channels=channels)
            return self.grids[value, place]
        self.grids[value, place] = self._new_planes(value, place, self.shapes[value])
        return self.grids[value, place]

    def _new_planes(self, value: str, place: Place, shape: Shape) -> Grid:
        planes = self.places.planes(value, place, shape, self.target.lanes)
        for part, (host, _) in self.code_plan.hosted.items():
            if host == value and self.places.homes[value] == place:
                halo = self.places.halos.get((self.places.root(part), place), Halo())
                planes = planes.with_halo(halo)
        if planes.size_bytes // planes.channels > LARGEST_PLANE_BYTES:
            raise CompileError(
                "a picture is too large",
                where=f"value {value!r}",
                got=(planes.height, planes.width),
            )
        channels = np.arange(planes.channels)
        return Grid(self._buffer(value, planes.size_bytes), planes, channels)

    def output_grid(self, node: Node) -> Grid:
        """Make memory for a node's result, where it was decided that it lies."""
        return self.new_grid(node.name, self.places.homes[node.name])

    def flat(self, value: str) -> Buffer:
        """Return a value's flat memory, copying it from planes if it lies there."""
        if value not in self.flats:
            self._unpack(value)
        return self.flats[value]

    def stride(self, node: Node) -> tuple[int, int]:
        """Return the stride with which a node reads its first input where it lies for it."""
        picked = self.places.pick(node.inputs[0], self.places.reads[node.name])
        return window_stride(node, self.shapes[node.name]) if picked == (1, 1) else (1, 1)

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
            self.fill_halo(grid, np.float32(fill).tobytes(), node.name)
        return grid

    def home_grid(self, value: str) -> Grid:
        """Return a value in planes where it was decided that it lies, as real numbers."""
        home = self.places.homes[value]
        if (value, home) not in self.grids:
            decode(self, value, home)
        return self.grids[value, home]

    def new_codes(self, value: str, place: Place) -> Grid:
        """Make memory for a value's codes, in planes of quads, or take its part of another's."""
        quads, size = -(-self.shapes[value][1] // 4), self.shapes[value][2:]
        if value in self.code_plan.hosted and self.places.homes[value] == place:
            host, first = self.code_plan.hosted[value]
            whole = self.codes.get((host, place)) or self.new_codes(host, place)
            grid = replace(whole, channels=whole.channels[first : first + quads])
        else:
            grid = self._new_planes(value, place, (1, quads, *size))
        self.codes[value, place] = grid
        return grid

    def input_codes(self, value: str, place: Place, fill: bytes | None, reader: str) -> Grid:
        """Return the codes of a value at a place, as planes of quads.

        Args:
            value: a rounding that is held as codes.
            place: where they are read.
            fill: if given, four codes that everything outside the picture holds.
            reader: name of the node that reads.
        """
        if (value, place) not in self.codes:
            source = self.codes[value, self.places.homes[value]]
            copy_planes(self, value, source, self.new_codes(value, place), place)
        grid = self.codes[value, place]
        if fill is not None:
            self.fill_halo(grid, fill, reader)
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

    def filled(self, grid: Grid, fill: bytes) -> None:
        """Note that everything outside the grid's pixels holds these four bytes."""
        self.fills.update({(grid.buffer, int(c)): fill for c in grid.channels})

    def is_padded(self, grid: Grid) -> bool:
        """Whether some node reads zeros around the grid's pixels."""
        grids, hosted = [*self.grids.items(), *self.codes.items()], self.code_plan.hosted
        held = [key for key, other in grids if other is grid]
        held += [(hosted[value][0], place) for value, place in held if value in hosted]
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
        grid = self.home_grid(value)
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

    def fill_halo(self, grid: Grid, fill: bytes, reader: str) -> None:
        """Write four bytes, a float or codes, to everything outside the grid's pixels."""
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
                "fill": np.frombuffer(fill, np.uint8),
                "channel_shares": self.channel_shares(len(channels)),
            },
            numbers=0,  # who writes the pixels can fill it, too
        )
        self.filled(grid, fill)
