"""Graph → bytes."""

from __future__ import annotations

from gossamer.codec.container import pack
from gossamer.codec.header import describe, weight_names
from gossamer.codec.streams import FORMS, version_of
from gossamer.errors import FormatError
from gossamer.graph import Graph, verify

# Dense tensors up to this size (biases, scales) share one section and its code tables.
_SMALL_ENTRIES = 4096


def encode(graph: Graph) -> bytes:
    """Return the `.goss` file of a graph; equal graphs give equal bytes.

    Raises:
        GraphError: if the graph is not well formed.
        FormatError: if it holds something that the format cannot.

    Examples:
        >>> from gossamer.codec.read import decode
        >>> from gossamer.graph import Dense, Input, Node
        >>> from gossamer.graph.ops import Linear
        >>> weights = {"y.weight": Dense.from_dense([[1.0, 2.0]])}
        >>> node = Node("y", Linear(), ("x",), {"weight": "y.weight"})
        >>> graph = Graph(Input("x", (1, 2)), (node,), "y", weights)
        >>> decode(encode(graph)) == graph
        True
    """
    verify(graph)
    names = weight_names(graph.nodes)
    layouts = [graph.weights[name] for name in names]
    for name, layout in zip(names, layouts, strict=True):
        if layout.kind not in FORMS:
            raise FormatError("no form for this layout", where=f"weight {name!r}", got=layout.kind)
    header, sections = describe(graph), []
    header["sections"] = []
    for kind, numbers in _group(
        [layout.kind for layout in layouts], [layout.size for layout in layouts]
    ):
        header["sections"].append([kind, numbers])
        sections.append(FORMS[kind].write([layouts[number] for number in numbers]))
    return pack(header, sections, version_of(kind for kind, _ in header["sections"]))


def _group(kinds: list[str], sizes: list[int]) -> list[tuple[str, list[int]]]:
    """Return the sections: all small dense tensors in one, every other tensor in its own."""
    small = [n for n, kind in enumerate(kinds) if kind == "dense" and sizes[n] <= _SMALL_ENTRIES]
    others = [(kind, [n]) for n, kind in enumerate(kinds) if n not in set(small)]
    return [("dense", small), *others] if small else others
