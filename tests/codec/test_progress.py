"""Reading and writing say how far they are, and stop when told to."""

import threading
import time

import numpy as np
import pytest

from gossamer.codec.files import load, save
from gossamer.codec.progress import side_by_side
from gossamer.codec.read import decode
from gossamer.codec.write import encode
from gossamer.graph import Graph, Input, Node, Sparse
from gossamer.graph.ops import Linear


class Stop(Exception):
    pass


def stop(done, total):
    raise Stop


@pytest.fixture(scope="module")
def large_graph():
    """Enough bytes for sections to be read side by side."""
    rng = np.random.default_rng(0)
    kept = np.arange(0, 512 * 512, 9)
    weights = {
        f"l{n}.weight": Sparse((512, 512), kept, rng.standard_normal(len(kept))) for n in range(3)
    }
    nodes = tuple(
        Node(f"l{n}", Linear(), (f"l{n - 1}" if n else "x",), {"weight": f"l{n}.weight"})
        for n in range(3)
    )
    return Graph(Input("x", (1, 512)), nodes, "l2", weights)


@pytest.mark.parametrize("profile", ["small", "fast"])
def test_progress_rises_to_the_whole(large_graph, profile):
    written, read = [], []
    data = encode(large_graph, profile, lambda *now: written.append(now))
    assert decode(data, progress=lambda *now: read.append(now)) == large_graph
    for told in (written, read):
        assert told
        assert [done for done, _ in told] == sorted(done for done, _ in told)
        assert told[-1][0] == told[-1][1] > 0


def test_what_progress_raises_cancels(large_graph, tmp_path):
    with pytest.raises(Stop):
        encode(large_graph, "fast", stop)
    data = encode(large_graph, "fast")
    with pytest.raises(Stop):
        decode(data, progress=stop)
    assert threading.active_count() == 1
    with pytest.raises(Stop):
        save(large_graph, tmp_path / "net.goss", profile="fast", progress=stop)
    assert not list(tmp_path.iterdir())
    save(large_graph, tmp_path / "net.goss", profile="fast")
    with pytest.raises(Stop):
        load(tmp_path / "net.goss", progress=stop)


def test_work_that_has_not_begun_never_does():
    begun = []

    def work(item):
        begun.append(item)
        time.sleep(0.001)
        raise Stop

    with pytest.raises(Stop):
        side_by_side(work, list(range(10_000)), [1] * 10_000)
    assert len(begun) < 10_000
