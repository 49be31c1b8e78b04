"""Which layer reads which: the layers below each other, an arc for each link that skips some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise

from gossamer.graph.graph import Graph
from gossamer.graph.layers import Layer, layers_of
from gossamer.graph.ops import Add, Concat, Multiply
from gossamer.report.drawing import CHARACTER_WIDTH, Drawing, letters, shorten, text_width
from gossamer.report.layers import LayerLine, join_sizes, layer_colour, layer_lines

_ROW = 18  # pixels from one layer to the next
_WIDEST_ARC = 260
_LONGEST_NAME, _LONGEST_OPERATOR = 44, 54
_GAP = 18  # between columns of text

_LAYER_COLOURS = {
    "conv": "convolution",
    "linear": "linear",
    "pool": "pooling",
    "gather": "sum, concatenation, product",
    "permute": "permutation, selection",
    "other": "other",
}
_ARC_COLOURS = {"reads": "read further on", "adds": "added, multiplied", "joins": "concatenated"}


def draw_arcs(graph: Graph) -> Drawing:
    """Return the layers of a graph from input to output, with the links between them.

    A line to the next layer is straight; every other one is an arc on the left, from the layer that
    makes the value down to the one that reads it. A thin rule stands where the picture size
    changes.
    """
    layers = layers_of(graph)
    lines = (_input_line(graph), *layer_lines(graph))
    colours = ("source", *(layer_colour(layer) for layer in layers))
    reach = _reach(layers)
    spine = max(reach.values(), default=0) * 0.75 + 12
    table = _Columns(lines, spine + 16)
    body = [
        *_rules(lines, spine, table.right),
        *(_link(layer, source, spine, reach) for layer in layers for source in layer.reads),
        *(_dot(line, spine, colour) for line, colour in zip(lines, colours, strict=True)),
        *map(table.write, lines),
    ]
    return Drawing("".join(body), table.right, _ROW * len(lines))


def draw_legend(graph: Graph) -> Drawing:
    """Return what the colours of the layers and arcs of a graph mean."""
    layers = layers_of(graph)
    dots = {layer_colour(layer) for layer in layers}
    arcs = {_gathering(layer) for layer in layers if min(layer.reads) < layer.number - 1}
    body, x = [], 6.0
    for colour in (colour for colour in _LAYER_COLOURS if colour in dots):
        meaning = _LAYER_COLOURS[colour]
        body.append(f'<circle class="{colour}" cx="{x:g}" cy="8" r="4.5"/>')
        body.append(letters(x + 9, 12, meaning, "soft"))
        x += text_width(meaning) + 28
    for kind in (kind for kind in _ARC_COLOURS if kind in arcs):
        meaning = _ARC_COLOURS[kind]
        body.append(f'<path class="link {kind}" d="M{x:g} 8h18"/>')
        body.append(letters(x + 24, 12, meaning, "soft"))
        x += text_width(meaning) + 44
    return Drawing("".join(body), x, 16)


class _Columns:
    """Columns of text beside the layers, as wide as what stands in them."""

    def __init__(self, lines: Sequence[LayerLine], left: float) -> None:
        names = [shorten(line.name, _LONGEST_NAME) for line in lines]
        operators = [shorten(line.operator, _LONGEST_OPERATOR) for line in lines]
        widths = (
            CHARACTER_WIDTH * len(str(len(lines))),
            max(map(text_width, names)),
            max(map(text_width, operators)),
        )
        self._x = [left]
        for width in widths:
            self._x.append(self._x[-1] + width + _GAP)
        self.right = self._x[-1] + max(text_width(join_sizes(line.output_shape)) for line in lines)

    def write(self, line: LayerLine) -> str:
        y = _y(line.number) + 4
        number_x, name_x, operator_x, output_x = self._x
        return (
            letters(number_x, y, str(line.number), "soft")
            + letters(name_x, y, shorten(line.name, _LONGEST_NAME))
            + letters(operator_x, y, shorten(line.operator, _LONGEST_OPERATOR), "soft")
            + letters(output_x, y, join_sizes(line.output_shape))
        )


def _input_line(graph: Graph) -> LayerLine:
    return LayerLine(0, graph.input.name, "", (), graph.input.example[1:], 0, 0)


def _y(number: int) -> float:
    return _ROW * (number + 0.5)


def _reach(layers: Sequence[Layer]) -> Mapping[int, float]:
    """Return how far to the left the handles of an arc over so many layers lie, in pixels."""
    spans = {layer.number - source for layer in layers for source in layer.reads} - {1}
    natural = {span: 20 * span**0.75 for span in spans}
    shrink = min(1.0, _WIDEST_ARC / (0.75 * max(natural.values(), default=1)))
    return {span: reach * shrink for span, reach in natural.items()}


def _link(layer: Layer, source: int, x: float, reach: Mapping[int, float]) -> str:
    start, end, span = _y(source), _y(layer.number), layer.number - source
    if span == 1:
        return f'<path class="link next" d="M{x:g} {start:g}V{end:g}"/>'
    handle = x - reach[span]
    return (
        f'<path class="link {_gathering(layer)}" '
        f'd="M{x:g} {start:g}C{handle:.1f} {start:g} {handle:.1f} {end:g} {x:g} {end:g}">'
        f"<title>{source} → {layer.number}</title></path>"
    )


def _gathering(layer: Layer) -> str:
    kinds = {type(node.op) for node in layer.nodes}
    if Concat in kinds:
        return "joins"
    return "adds" if kinds & {Add, Multiply} else "reads"


def _dot(line: LayerLine, x: float, colour: str) -> str:
    title = f"{line.name}: {line.operator}" if line.operator else line.name
    return (
        f'<circle class="{colour}" cx="{x:g}" cy="{_y(line.number):g}" r="4.5">'
        f"<title>{escape(title)}</title></circle>"
    )


def _rules(lines: Sequence[LayerLine], left: float, right: float) -> list[str]:
    return [
        f'<path class="rule" d="M{left + 12:g} {_ROW * line.number}H{right:g}"/>'
        for before, line in pairwise(lines)
        if before.output_shape[1:] != line.output_shape[1:]
    ]
