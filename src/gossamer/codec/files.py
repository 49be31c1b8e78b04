"""Graphs in files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gossamer.codec.limits import Limits
from gossamer.codec.progress import Progress, silent
from gossamer.codec.read import decode
from gossamer.codec.write import encode
from gossamer.errors import (
    FormatError,
    GraphError,
    LimitExceededError,
    SpecError,
    VerificationError,
)
from gossamer.graph import Graph
from gossamer.replacing import replacing


def save(
    graph: Graph,
    path: str | Path,
    *,
    profile: str | None = None,
    limits: Limits | None = None,
    progress: Progress = silent,
) -> Path:
    """Write a graph to a `.goss` file and return its path.

    The bytes are decoded again and compared before the file appears under its name, so that a file
    that exists can be read and holds exactly this graph.

    Args:
        graph: a well-formed graph.
        path: of the file; an existing file is replaced.
        profile: "small" for the fewest bytes, "fast" for the least time to read; unless given,
            small up to two million weights.
        limits: of the readers that the file is for; default `Limits()`.
        progress: told (done, total) while weights are written, and again from the beginning while
            they are read for comparison; what it raises cancels, and leaves no file.

    Raises:
        GraphError: if the graph is not well formed.
        FormatError: if the format cannot hold it, a reader with these limits would refuse it, or
            the file cannot be written.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from gossamer.graph import Dense, Input, Node
        >>> from gossamer.graph.ops import Linear
        >>> node = Node("y", Linear(), ("x",), {"weight": "w"})
        >>> graph = Graph(Input("x", (1, 2)), (node,), "y", {"w": Dense.from_dense([[1.0, 2.0]])})
        >>> with TemporaryDirectory() as folder:
        ...     load(save(graph, f"{folder}/net.goss")) == graph
        True
    """
    path = Path(path)
    if not path.name:
        raise FormatError("not the name of a file", where=path)
    if path.suffix.lower() == ".onnx":
        raise FormatError(
            "this writes .goss files, not ONNX", where=path, hint="choose a name that ends in .goss"
        )
    data = encode(graph, profile, progress)
    if decode(data, limits, progress) != graph:
        raise VerificationError("the encoded graph decodes to another one", where=path)
    try:
        with replacing(path) as partial:
            partial.write_bytes(data)
    except OSError as error:
        raise FormatError("the file cannot be written", where=path, got=error.strerror) from None
    return path


def load(path: str | Path, *, limits: Limits | None = None, progress: Progress = silent) -> Graph:
    """Read a graph from a `.goss` or `.onnx` file.

    Args:
        path: of the file; its name says which of the two it is.
        limits: how much the file may ask for; default `Limits()`.
        progress: told (bytes read, bytes in all) while a `.goss` file is read; what it raises
            cancels.

    Raises:
        FormatError: or one of its subclasses, if there is no such file or it is not a well-formed
            file within the limits.
        UnsupportedOperatorError: if an ONNX file uses what a graph has not; it names the operator.
        MissingDependencyError: for an ONNX file without the onnx package.

    `gossamer.graph.from_onnx.load_onnx` has more options for ONNX files.
    """
    path, limits = Path(path), limits or Limits()
    with errors_naming(path):
        if path.suffix.lower() == ".onnx":
            return _load_onnx(path, limits)
        return decode(read_bytes(path, limits), limits, progress)


def _load_onnx(path: Path, limits: Limits) -> Graph:
    """Read an ONNX file, which takes several nodes for one of a graph."""
    # The operators of ONNX take as long to import as a network to read: only for who needs them.
    from gossamer.graph.from_onnx import OnnxLimits, load_onnx

    return load_onnx(path, limits=OnnxLimits(limits.file_bytes, 2 * limits.nodes, limits.entries))


@contextmanager
def errors_naming(path: Path) -> Iterator[None]:
    """Put the file's name into the place that an error about its content tells."""
    try:
        yield
    except (FormatError, GraphError, SpecError) as error:
        if error.where is None:
            error.where = path
        elif error.where != path:
            error.where = f"{path}: {error.where}"
        raise


def read_bytes(path: Path, limits: Limits) -> bytes:
    """Return a file's bytes; raises FormatError if it is not a file or too long."""
    try:
        if path.is_dir():
            raise FormatError("this is a directory", where=path, expected="a .goss file")
        if not path.is_file():
            problem = "this is not a file" if path.exists() else "no such file"
            raise FormatError(problem, where=path)
        with path.open("rb") as file:
            data = file.read(limits.file_bytes + 1)
    except OSError as error:
        raise FormatError("the file cannot be read", where=path, got=error.strerror) from None
    if len(data) > limits.file_bytes:
        raise LimitExceededError(
            "the file is too long", where=path, expected=f"≤ {limits.file_bytes} bytes"
        )
    return data
