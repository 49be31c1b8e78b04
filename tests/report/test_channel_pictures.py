import io
import re
from base64 import b64decode

import numpy as np
import pytest
from PIL import Image

from gossamer.graph import Dense, Graph, Input, Node
from gossamer.graph.ops import Activation, ChannelPermute, Conv2d
from gossamer.report.channel_pictures import draw_channels, summarise_paths


def blocks(count, channels=4, groups=2):
    """Interleaved blocks one behind the other: convolution, permutation, convolution."""
    nodes, weights, source = [], {}, "x"
    for number in range(count):
        order = tuple(np.arange(channels).reshape(groups, -1).T.ravel().tolist())
        parts = (("conv", Conv2d(groups=groups)), ("turn", ChannelPermute(order)))
        parts += (("mix", Conv2d(groups=groups)), ("act", Activation("relu")))
        for label, op in parts:
            name = f"{label}{number}"
            roles = {"weight": name} if isinstance(op, Conv2d) else {}
            if roles:
                weights[name] = Dense(np.ones((channels, channels // groups, 1, 1)))
            nodes.append(Node(name, op, (source,), roles))
            source = name
    return Graph(Input("x", (1, channels, 3, 3)), tuple(nodes), source, weights)


def inks(drawing):
    """Whether there is ink, by picture: bool arrays."""
    pictures = re.findall(r'base64,([^"]+)"', drawing.body)
    return [
        np.asarray(Image.open(io.BytesIO(b64decode(data))).convert("RGBA"))[..., 3] > 0
        for data in pictures
    ]


def test_factors_and_their_product_are_drawn():
    (row,) = draw_channels(blocks(1))
    first, turn, second, product = inks(row)
    diagonal = np.kron(np.eye(2), np.ones((2, 2))).astype(bool)
    assert np.array_equal(first, diagonal)
    assert np.array_equal(second, diagonal)
    assert np.array_equal(turn, np.eye(4, dtype=bool)[[0, 2, 1, 3]])
    assert product.all()
    assert "1 path from every input to every output" in row.body
    assert "4 → 4 channels" in row.body
    assert row.width > 4 * 150


def test_alike_blocks_are_drawn_once():
    (row,) = draw_channels(blocks(3))
    assert "conv0 … mix0, and 2 more alike" in row.body


def test_one_convolution_is_its_own_product():
    graph = blocks(1)
    graph = graph.with_nodes(graph.nodes[:1], graph.weights, "conv0")
    (row,) = draw_channels(graph)
    assert len(inks(row)) == 1
    assert "50.0 % of the pairs have no path" in row.body


def test_at_most_four_kinds_are_drawn():
    one = blocks(6)
    kernels = {f"mix{number}": Dense(np.ones((4, 2, 1, number + 1))) for number in range(6)}
    graph = one.with_nodes(one.nodes, {**one.weights, **kernels})
    rows = draw_channels(graph)
    assert len(rows) == 5
    assert "and 2 more kinds" in rows[-1].body


def test_wide_matrices_shrink_to_their_pixels_without_losing_ink():
    (row,) = draw_channels(blocks(1, channels=700, groups=350))
    assert all(picture.shape == (150, 150) for picture in inks(row))
    first, turn, *_ = inks(row)
    assert first.any(axis=0).all()
    assert turn.any(axis=1).all()


def test_no_groups_no_pictures():
    assert draw_channels(Graph(Input("x", (1, 4, 3, 3)), (), "x", {})) == []


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        ([[3, 3]], "3 paths from every input to every output"),
        ([[1, 2]], "1–2 paths from every input to every output"),
        ([[0, 0]], "no path at all"),
        ([[0, 1, 5, 1]], "25.0 % of the pairs have no path, the others 1–5"),
        ([[12000]], "12,000 paths from every input to every output"),
    ],
)
def test_paths_in_words(paths, words):
    assert summarise_paths(np.array(paths)) == words
