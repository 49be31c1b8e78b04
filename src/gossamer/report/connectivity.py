"""The connectivity of a network as one picture: which channel, and which layer, reads which."""

from __future__ import annotations

from gossamer.graph.counting import count
from gossamer.graph.graph import Graph
from gossamer.report.arc_diagram import draw_arcs, draw_legend
from gossamer.report.channel_pictures import draw_channels
from gossamer.report.drawing import Drawing, document, letters, stack, text_width


def draw_connectivity(graph: Graph) -> str:
    """Return a picture of a graph as the text of an SVG file, light and dark.

    Above: for each kind of chain of group convolutions and permutations, which channel reaches
    which. Below: all layers, with a link from each to those that read it.

    Examples:
        >>> from gossamer.graph import Input, Node
        >>> from gossamer.graph.ops import GlobalAvgPool
        >>> pool = Node("pool", GlobalAvgPool(), ("x",))
        >>> draw_connectivity(Graph(Input("x", (1, 4, 8, 8)), (pool,), "pool", {}))[:4]
        '<svg'
    """
    channels = draw_channels(graph)
    pieces = [_title(graph)]
    if channels:
        pieces += [_heading("Which channel reaches which"), *channels]
    pieces += [_heading("Which layer reads which"), draw_legend(graph), draw_arcs(graph)]
    return document(stack(pieces), f"connectivity of {graph.name}")


def _title(graph: Graph) -> Drawing:
    total = count(graph)
    facts = (
        f"{total.parameters:,} parameters, {total.macs:,} MACs, depth {total.depth}, "
        f"at most {total.peak_live_bytes / 1024:,.0f} KiB of activations alive at one time"
    )
    body = letters(0, 16, graph.name, "title") + letters(0, 38, facts, "soft")
    return Drawing(body, text_width(facts), 42)


def _heading(text: str) -> Drawing:
    return Drawing(letters(0, 14, text, "head"), text_width(text), 6)
