import numpy as np
import pytest

import gossamer
from gossamer.cli.demo.fresh_process import run_fresh
from gossamer.errors import VerificationError
from gossamer.graph import interpret


def test_the_outputs_are_those_of_the_graph(demo_result, tmp_path):
    graph = demo_result.outcomes[0].graph
    path = gossamer.save(graph, tmp_path / "net.goss")
    images = np.random.default_rng(0).standard_normal((3, 1, 8, 8)).astype(np.float32)
    assert run_fresh(path, images) == pytest.approx(interpret(graph, images), abs=1e-5)


def test_a_failure_is_named(tmp_path):
    path = tmp_path / "text.goss"
    path.write_text("not a network")
    with pytest.raises(VerificationError, match="fresh process failed"):
        run_fresh(path, np.zeros((1, 1, 8, 8), np.float32))
