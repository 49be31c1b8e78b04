"""Which channel reaches which: the factors of a composite kernel and their product, as matrices."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from html import escape

import numpy as np

from gossamer.graph.channel_paths import Chain, channel_chains, channel_links
from gossamer.graph.graph import Graph
from gossamer.report.drawing import Drawing, letters, shorten, text_width
from gossamer.report.layers import describe_node
from gossamer.report.pictures import encode_png

_INK = (58, 134, 180)  # blue that reads on white and on near-black alike
_SIDE = 150  # of the largest picture, in pixels
_GAP = 34  # between pictures, with an arrow in it
_FAINTEST, _LEVELS = 70, 16  # opacity of the fewest paths; shades
_MOST_CHAINS = 4
_LONGEST_LABEL = 22


def draw_channels(graph: Graph) -> list[Drawing]:
    """Return a row of pictures for each kind of chain in a graph, four at the most.

    Each convolution and permutation is a matrix, outputs down, inputs across, with ink where an
    input reaches an output; the last one is their product, darker where there are more paths.
    Chains with the same operators and the same paths are drawn once.
    """
    first: dict[bytes, Chain] = {}
    alike: Counter[bytes] = Counter()
    for chain in channel_chains(graph):
        kind = _kind(graph, chain)
        alike[kind] += 1
        if alike[kind] == 1 and len(first) < _MOST_CHAINS:
            first[kind] = chain
    rows = [_draw(graph, chain, alike[kind]) for kind, chain in first.items()]
    left_out = len(alike) - len(rows)
    if left_out:
        text = f"and {left_out} more kinds, of other widths or groups"
        rows.append(Drawing(letters(0, 12, text, "soft"), text_width(text), 16))
    return rows


def _kind(graph: Graph, chain: Chain) -> bytes:
    """Return a digest that chains with the same operators and paths share."""
    words = [describe_node(graph, node) for node in chain.nodes]
    return sha256(f"{words} {chain.paths.shape}".encode() + chain.paths.tobytes()).digest()


def summarise_paths(paths: np.ndarray) -> str:
    """Return in words how many paths there are.

    Examples:
        >>> summarise_paths(np.array([[1, 1], [1, 1]]))
        '1 path from every input to every output'
        >>> summarise_paths(np.array([[2, 0]]))
        '50.0 % of the pairs have no path, the others 2'
    """
    used = paths[paths > 0]
    if not used.size:
        return "no path at all"
    low, high = int(used.min()), int(used.max())
    span = f"{low:,}" if low == high else f"{low:,}–{high:,}"
    if used.size == paths.size:
        return f"{span} path{'s' if high > 1 else ''} from every input to every output"
    apart = 100 * (1 - used.size / paths.size)
    return f"{apart:.1f} % of the pairs have no path, the others {span}"


def _draw(graph: Graph, chain: Chain, alike: int) -> Drawing:
    title = chain.nodes[0].name
    if len(chain.nodes) > 1:
        title += f" … {chain.nodes[-1].name}"
    if alike > 1:
        title += f", and {alike - 1} more alike"
    labels = [describe_node(graph, node) for node in chain.nodes]
    matrices = [channel_links(graph, node) for node in chain.nodes]
    if len(matrices) > 1:
        labels, matrices = [*labels, "all together"], [*matrices, chain.paths]
    pictures = _side_by_side(matrices, labels)
    summary = summarise_paths(chain.paths)
    shape = f"{chain.paths.shape[1]} → {chain.paths.shape[0]} channels: {summary}"
    head = letters(0, 12, title) + letters(0, 28, shape, "soft")
    body = f'{head}<g transform="translate(0 40)">{pictures.body}</g>'
    width = max(pictures.width, text_width(title), text_width(shape))
    return Drawing(body, width, pictures.height + 40)


def _side_by_side(matrices: Sequence[np.ndarray], labels: Sequence[str]) -> Drawing:
    """Return the pictures with an arrow from each to the next, and "=" before the last."""
    largest = max(max(matrix.shape) for matrix in matrices)
    tallest = max(_side(len(matrix), largest) for matrix in matrices)
    signs = ["", *["→"] * (len(matrices) - 2), "="][: len(matrices)]
    body, x = [], 0.0
    for matrix, label, sign in zip(matrices, labels, signs, strict=True):
        height, width = (_side(size, largest) for size in matrix.shape)
        label = shorten(label, _LONGEST_LABEL)
        body += [
            letters(x - _GAP / 2 - 4, tallest / 2 + 4, sign, "sign"),
            _picture(matrix, x, (tallest - height) / 2, width, height, label),
            letters(x, tallest + 15, label, "small"),
        ]
        x += max(width, 0.9 * text_width(label)) + _GAP
    return Drawing("".join(body), x - _GAP, tallest + 20)


def _side(size: int, largest: int) -> float:
    return max(6.0, _SIDE * size / largest)


def _picture(
    matrix: np.ndarray, x: float, y: float, width: float, height: float, label: str
) -> str:
    """Return a matrix of counts as an image in a frame."""
    pixels = _shrink(_shrink(matrix.astype(np.float64)).T).T
    shades = np.ceil(pixels / max(pixels.max(), 1) * _LEVELS).astype(np.uint8)
    step = (255 - _FAINTEST) / (_LEVELS - 1)
    palette = [(*_INK, 0), *((*_INK, round(_FAINTEST + step * i)) for i in range(_LEVELS))]
    data = b64encode(encode_png(shades, palette)).decode("ascii")
    place = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"'
    shape = f"{matrix.shape[1]} → {matrix.shape[0]}"
    return (
        f'<image {place} preserveAspectRatio="none" href="data:image/png;base64,{data}">'
        f'<title>{escape(f"{label}: {shape}")}</title></image><rect class="frame" {place}/>'
    )


def _shrink(matrix: np.ndarray) -> np.ndarray:
    """Return the largest of neighbouring rows, so that no more are left than pixels."""
    if len(matrix) <= _SIDE:
        return matrix
    starts = np.linspace(0, len(matrix), _SIDE, endpoint=False).astype(int)
    return np.maximum.reduceat(matrix, starts, axis=0)
