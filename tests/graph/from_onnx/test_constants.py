"""What is computed of constants while a file is read, against ONNX Runtime."""

from __future__ import annotations

import numpy as np
import pytest

from tests.graph.from_onnx.conftest import assert_reads, make_model, node


@pytest.mark.parametrize("training_mode", [0, 1])
def test_norms_of_weights(training_mode: int) -> None:
    """As networks of standardised weights have them: by given statistics, or by their own."""
    rng = np.random.default_rng(0)
    of_filters = {name: rng.uniform(0.5, 2, 6).astype(np.float32) for name in "gbmv"}
    shapes = {"rows": np.array([1, 6, 36]), "filters": np.array([6, 4, 3, 3])}
    weight = rng.standard_normal((6, 4, 3, 3)).astype(np.float32)
    outputs = "n mean variance" if training_mode else "n"
    nodes = [
        node("Reshape", "w rows", "r"),
        node("BatchNormalization", "r g b m v", outputs, training_mode=training_mode),
        node("Reshape", "n filters", "f"),
        node("Conv", "x f"),
    ]
    graph = assert_reads(make_model(nodes, {"w": weight, **of_filters, **shapes}))
    assert [n.op.kind for n in graph.nodes] == ["conv2d"]
