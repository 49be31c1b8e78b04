"""Where the bytes of a file went: every byte is accounted for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gossamer.codec.files import errors_naming, load, read_bytes
from gossamer.codec.limits import Limits
from gossamer.codec.read import Section, read_contents
from gossamer.codec.section import Stream
from gossamer.codec.write import encode
from gossamer.counts import entropy_bits, position_bits
from gossamer.graph import Codebook, Graph, Layout, Quantised, Sparse


@dataclass(frozen=True)
class TensorReport:
    """One weight tensor in a file.

    Args:
        name: of the weight.
        layout: dense, sparse, codebook or quantised.
        shape: of the tensor.
        nonzeros: entries that are not zero.
        density: nonzeros / entries.
        size_bytes: its part of the file. Tensors that share a section share its bytes: by what the
            model says that each takes, or by entries.
        entropy_bits: zero-order bound of its positions and values, tables, centroids and scales
            not counted: n · H2(stored / n), plus the entropy of values, codes or integers.
        ideal_bits: what the coder's model says that it takes, without the coder's own rounding;
            None for coders that store their model in tables.
        streams: of its section, in order.
        shared: whether other tensors lie in the same section.
    """

    name: str
    layout: str
    shape: tuple[int, ...]
    nonzeros: int
    density: float
    size_bytes: int
    entropy_bits: float
    ideal_bits: float | None
    streams: tuple[Stream, ...]
    shared: bool

    @property
    def entries(self) -> int:
        """Number of entries, zeros included."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def bits_per_weight(self) -> float:
        """Bits of the file per entry, zeros included."""
        return 8 * self.size_bytes / self.entries if self.entries else 0.0

    @property
    def coders(self) -> tuple[str, ...]:
        """The coders of its streams, in order."""
        return tuple(stream.coder for stream in self.streams)


@dataclass(frozen=True)
class FileReport:
    """A `.goss` file: `header_bytes` + `frame_bytes` + all tensors' `size_bytes` = `size_bytes`.

    Args:
        name: of the network.
        version: of the format.
        profile: what the file is made for, "small" or "fast"; "" in versions 1 and 2.
        size_bytes: of the file.
        header_bytes: the JSON header, as stored.
        frame_bytes: magic, version, lengths and checksums.
        tensors: in the order of first use.
    """

    name: str
    version: int
    profile: str
    size_bytes: int
    header_bytes: int
    frame_bytes: int
    tensors: tuple[TensorReport, ...]

    @property
    def bits_per_weight(self) -> float:
        """Bits of the whole file per entry of its tensors."""
        entries = sum(tensor.entries for tensor in self.tensors)
        return 8 * self.size_bytes / entries if entries else 0.0


def inspect_file(path: str | Path, *, limits: Limits | None = None) -> FileReport:
    """Read a file completely and report where its bytes went.

    Of an ONNX file, report what the `.goss` file of its network would hold.

    Raises:
        FormatError: as `gossamer.load` does.
    """
    limits, path = limits or Limits(), Path(path)
    if path.suffix.lower() == ".onnx":
        return inspect_bytes(encode(load(path, limits=limits)), limits=limits)
    with errors_naming(path):
        return inspect_bytes(read_bytes(path, limits), limits=limits)


def inspect_bytes(data: bytes, *, limits: Limits | None = None) -> FileReport:
    """Report on a file that is in memory; see `inspect_file`."""
    contents = read_contents(data, limits or Limits())
    found = {
        report.name: report for s in contents.sections for report in _reports(s, contents.graph)
    }
    return FileReport(
        name=contents.graph.name,
        version=contents.container.version,
        profile=contents.container.header.get("profile", ""),
        size_bytes=len(data),
        header_bytes=contents.container.header_bytes,
        frame_bytes=contents.container.frame_bytes,
        tensors=tuple(found[name] for name in contents.graph.weights),
    )


def _reports(section: Section, graph: Graph) -> list[TensorReport]:
    layouts = [graph.weights[name] for name in section.names]
    parts = [stream for stream in section.streams if stream.ideal_bits is not None]
    sizes = [part.size_bytes for part in parts] or _shares(section.size_bytes, layouts)
    return [
        TensorReport(
            name=name,
            layout=layout.kind,
            shape=layout.shape,
            nonzeros=layout.nonzeros,
            density=layout.density,
            size_bytes=size_bytes,
            entropy_bits=_entropy_bits(layout),
            ideal_bits=parts[number].ideal_bits if parts else None,
            streams=(parts[number],) if parts else section.streams,
            shared=len(layouts) > 1,
        )
        for number, (name, layout, size_bytes) in enumerate(
            zip(section.names, layouts, sizes, strict=True)
        )
    ]


def _shares(size_bytes: int, layouts: list[Layout]) -> list[int]:
    """Divide a section's bytes among its tensors by entries, so that the parts add up exactly."""
    ends = np.cumsum([layout.size for layout in layouts])
    whole = max(int(ends[-1]), 1)
    marks = [size_bytes * int(end) // whole for end in ends[:-1]]
    return np.diff([0, *marks, size_bytes]).tolist()


def _entropy_bits(layout: Layout) -> float:
    match layout:
        case Codebook():
            values = layout.codes
        case Quantised():
            values = layout.integers[layout.integers != 0]
        case Sparse():
            values = layout.values.view(np.uint32)
        case _:
            return entropy_bits(layout.to_dense().ravel().view(np.uint32))
    return position_bits(layout.size, len(values)) + entropy_bits(values)
