import json

import numpy as np
import pytest

import gossamer
from gossamer.graph import Codebook, Graph, Input, Node
from gossamer.graph.ops import Linear


@pytest.fixture
def clustered(tmp_path):
    values = (np.arange(200) * 7 % 5 - 2).astype(np.float32).reshape(10, 20)
    node = Node("y", Linear(), ("x",), {"weight": "w"})
    weights = {"w": Codebook.from_dense(values)}
    return gossamer.save(
        Graph(Input("x", (1, 20)), (node,), "y", weights), tmp_path / "clustered.goss"
    )


def test_sizes_are_printed(gossamer_program, clustered):
    out = gossamer_program("bench", "codec", clustered, "--against", "huffman,lzma").out
    assert "clustered" in out
    assert "lzma" in out
    assert "brotli" not in out


def test_sizes_are_given_as_json(gossamer_program, clustered):
    (found,) = json.loads(
        gossamer_program("bench", "codec", clustered, "--against", "lzma", "--json").out
    )
    assert found["weights"] == 200
    assert found["file_bytes"]["small"] == clustered.stat().st_size
