from dataclasses import replace

import numpy as np
import pytest

from gossamer.bench.engines import ENGINES
from gossamer.bench.engines.mnn import zeros_in_blocks
from gossamer.errors import VerificationError
from gossamer.graph import Dense, Sparse


def with_weight(graph, weight):
    return replace(graph, weights={**graph.weights, "cw": Sparse.from_dense(weight)})


def blocks(rows):
    """Return a (8, 2, 3, 3) weight whose zeros come in blocks of output channels."""
    rng = np.random.default_rng(0)
    kept = rng.random((8 // rows, 2, 3, 3)) < 0.5
    return (rng.normal(size=(8, 2, 3, 3)) * kept.repeat(rows, axis=0)).astype(np.float32)


@pytest.mark.parametrize(("rows", "found"), [(8, True), (4, True), (2, False), (1, False)])
def test_blocks_of_four_output_channels_are_recognised(subject, rows, found):
    assert zeros_in_blocks(with_weight(subject.graph, blocks(rows)), 4) is found


def test_a_dense_network_has_no_blocks(subject):
    dense = {name: Dense(layout.to_dense() + 9) for name, layout in subject.graph.weights.items()}
    assert not zeros_in_blocks(replace(subject.graph, weights=dense), 4)


def test_channels_that_are_no_multiple_of_the_block_are_not_in_blocks(subject):
    weight = np.zeros((6, 2, 3, 3), np.float32)
    assert not zeros_in_blocks(with_weight(subject.graph, weight), 4)


def test_what_the_converter_refuses_is_told(monkeypatch, subject):
    pytest.importorskip("MNN")
    monkeypatch.setattr("gossamer.bench.engines.mnn._CONVERT", "raise SystemExit('no such thing')")
    with pytest.raises(VerificationError, match="no such thing"):
        ENGINES["mnn"](subject)
