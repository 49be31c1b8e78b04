"""Bytes → the parts of an ONNX model that the walk over its nodes needs, trusting nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gossamer.errors import (
    FormatError,
    LimitExceededError,
    MissingDependencyError,
    UnsupportedOperatorError,
)
from gossamer.graph.from_onnx.limits import OnnxLimits
from gossamer.graph.from_onnx.tensors import Tensors

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

OLDEST_OPSET, NEWEST_OPSET = 7, 28
# What exporters call every graph.
_NAMELESS = {"", "main_graph", "torch_jit", "torch-jit-export", "tf2onnx"}


@dataclass(frozen=True, eq=False)
class Source:
    """An ONNX model taken apart.

    Args:
        name: of the network.
        nodes: those that the output needs, in the order of the file.
        input: name of the one input.
        sizes: of the input; a text or None where the file leaves it open.
        output: name of the one output.
        opsets: domain → version of its operator set.
        notes: what the file says about itself.
        tensors: its constants.
    """

    name: str
    nodes: tuple[NodeProto, ...]
    input: str
    sizes: tuple[int | str | None, ...] | None
    output: str
    opsets: Mapping[str, int]
    notes: Mapping[str, str]
    tensors: Tensors


def read_source(path: Path, limits: OnnxLimits) -> Source:
    """Return the parts of a file.

    Raises:
        MissingDependencyError: without the onnx package.
        FormatError: if there is no such file, or it is not a well-formed ONNX model.
        LimitExceededError: if it is too large.
        UnsupportedOperatorError: if it has not one input and one output, or another operator set.
    """
    return take_apart(_parse(_read(path, limits)), limits, path.stem, path.parent)


def take_apart(
    model: ModelProto, limits: OnnxLimits, name: str = "network", folder: Path | None = None
) -> Source:
    """Return the parts of a model; raises as `read_source` does."""
    opsets = _opsets(model)
    model = _inlined(model, limits)
    graph = model.graph
    if not all(isinstance(text, str) for text in _texts(model)):
        raise FormatError("a name is not text in UTF-8")
    stored = {t.name: t for t in graph.initializer} | {
        t.values.name: t for t in graph.sparse_initializer
    }
    inputs = [value for value in graph.input if value.name not in stored]
    for values, what in ((inputs, "input"), (graph.output, "output")):
        if len(values) != 1:
            raise UnsupportedOperatorError(
                f"a graph has one {what}",
                got=[value.name for value in values][:8],
                hint="cut the model with onnx.utils.extract_model",
            )
    return Source(
        name=name if graph.name in _NAMELESS else graph.name,
        nodes=_needed(graph),
        input=inputs[0].name,
        sizes=_sizes(inputs[0]),
        output=graph.output[0].name,
        opsets=opsets,
        notes={note.key: note.value for note in model.metadata_props},
        tensors=Tensors(stored, folder, limits),
    )


def _read(path: Path, limits: OnnxLimits) -> bytes:
    try:
        if not path.is_file():
            problem = "this is a directory" if path.is_dir() else "no such file"
            raise FormatError(problem, expected="an .onnx file")
        with path.open("rb") as file:
            data = file.read(limits.file_bytes + 1)
    except OSError as error:
        raise FormatError("the file cannot be read", got=error.strerror) from None
    if len(data) > limits.file_bytes:
        raise LimitExceededError("the file is too long", expected=f"≤ {limits.file_bytes} bytes")
    return data


def _parse(data: bytes) -> ModelProto:
    try:
        from google.protobuf.message import DecodeError
        from onnx import ModelProto
    except ImportError:
        raise MissingDependencyError(
            "reading ONNX needs the onnx package", hint="pip install 'gossamer[onnx]'"
        ) from None
    model = ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError:
        raise FormatError("not an ONNX model") from None
    if not model.opset_import or not model.graph.node:
        raise FormatError("not an ONNX model", got="no operators")
    return model


def _opsets(model: ModelProto) -> dict[str, int]:
    opsets = {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}
    opset = opsets.get("ai.onnx", 0)
    if not OLDEST_OPSET <= opset <= NEWEST_OPSET:
        raise UnsupportedOperatorError(
            "unknown version of the operator set",
            got=opset,
            expected=f"{OLDEST_OPSET}…{NEWEST_OPSET}",
            hint="onnx.version_converter brings a model to another one",
        )
    return opsets


def _inlined(model: ModelProto, limits: OnnxLimits) -> ModelProto:
    """Return the model without functions of its own, if that does not make it too large."""
    count = _expanded(model)
    if count > limits.nodes:
        raise LimitExceededError("too many nodes", got=count, expected=f"≤ {limits.nodes}")
    if not model.functions:
        return model
    from onnx.inliner import inline_local_functions

    try:
        return inline_local_functions(model)
    except Exception as error:
        raise FormatError("its functions cannot be put in place", got=str(error)[:200]) from None


def _expanded(model: ModelProto) -> int:
    """Return the number of nodes once every function stands where it is used."""
    bodies: dict[tuple[str, str], Any] = {(f.domain, f.name): f.node for f in model.functions}
    counts: dict[tuple[str, str], int] = {}

    def count(nodes: Iterable[NodeProto]) -> int:
        total = 0
        for node in nodes:
            key = (node.domain, node.op_type)
            if key in bodies and key not in counts:
                counts[key] = -1  # while it is being counted
                counts[key] = count(bodies[key])
            if counts.get(key, 0) < 0:
                raise FormatError("a function uses itself", got=node.op_type)
            total += counts.get(key, 1)
        return total

    try:
        return count(model.graph.node)
    except RecursionError:
        raise FormatError("functions use each other too deeply") from None


def _texts(model: ModelProto) -> Iterator[str | bytes]:
    """Yield all names in a model; one that is not UTF-8 comes as bytes."""
    graph = model.graph
    yield graph.name
    for named in (*graph.input, *graph.output, *graph.initializer):
        yield named.name
    for sparse in graph.sparse_initializer:
        yield sparse.values.name
    for note in model.metadata_props:
        yield from (note.key, note.value)
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)


def _needed(graph: GraphProto) -> tuple[NodeProto, ...]:
    """Return the nodes that the output depends on, in the order of the file.

    Where that has a node before what it reads, as some converters leave it, in an order that has
    not; nodes that read each other stay where they are, for the walk to refuse.
    """
    makers = {name: at for at, node in enumerate(graph.node) for name in node.output if name}
    if len(makers) != sum(1 for node in graph.node for name in node.output if name):
        raise FormatError("two nodes make values of the same name")
    needed: set[int] = set()
    names = [graph.output[0].name]
    while names:
        at = makers.get(names.pop())
        if at is not None and at not in needed:
            needed.add(at)
            names += graph.node[at].input
    return tuple(graph.node[at] for at in _ordered(graph, sorted(needed), makers))


def _ordered(graph: GraphProto, nodes: list[int], makers: Mapping[str, int]) -> Iterable[int]:
    reads = {at: [makers[n] for n in graph.node[at].input if n in makers] for at in nodes}
    if all(maker < at for at, made in reads.items() for maker in made):
        return nodes
    try:
        return list(TopologicalSorter(reads).static_order())
    except CycleError:
        return nodes


def _sizes(value: Any) -> tuple[int | str | None, ...] | None:
    """Return the sizes of the input, None if the file does not say how many there are."""
    from onnx import TensorProto

    kind = value.type.tensor_type
    floats = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)
    if kind.elem_type not in floats:
        raise UnsupportedOperatorError(
            "the input is not a tensor of floats",
            where=f"input {value.name!r}",
            got=TensorProto.DataType.Name(kind.elem_type) if kind.elem_type in range(24) else "?",
        )
    if not kind.HasField("shape"):
        return None
    return tuple(
        dim.dim_value if dim.dim_value > 0 else dim.dim_param or None for dim in kind.shape.dim
    )
