"""Graph → bytes."""

from __future__ import annotations

from gossamer.codec.brief import brief
from gossamer.codec.container import pack
from gossamer.codec.header import describe, weight_names
from gossamer.codec.profile import PROFILES, usual_profile
from gossamer.codec.progress import Progress, silent
from gossamer.codec.streams import FORMS
from gossamer.errors import FormatError
from gossamer.graph import Graph, verify


def encode(graph: Graph, profile: str | None = None, progress: Progress = silent) -> bytes:
    """Return the `.goss` file of a graph; equal graphs give equal bytes.

    Args:
        graph: a well-formed graph.
        profile: "small" for the fewest bytes, "fast" for the least time to read; unless given,
            small up to two million weights (`gossamer.codec.profile.SMALL_UP_TO`).
        progress: told (weights written, weights in all) after each section; what it raises cancels.

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
    if profile not in (None, *PROFILES):
        raise FormatError("unknown profile", got=profile, expected=list(PROFILES))
    verify(graph)
    names = weight_names(graph.nodes)
    layouts = [graph.weights[name] for name in names]
    profile = profile or usual_profile(layouts)
    for name, layout in zip(names, layouts, strict=True):
        if layout.kind not in FORMS:
            raise FormatError("no form for this layout", where=f"weight {name!r}", got=layout.kind)
    sections = PROFILES[profile](layouts, progress)
    header = describe(graph) | {"profile": profile}
    header["sections"] = [[form, numbers] for form, numbers, _ in sections]
    return pack(brief(header), [data for _, _, data in sections])
