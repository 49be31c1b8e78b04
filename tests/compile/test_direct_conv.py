from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gossamer.compile.lowering import direct_conv
from gossamer.graph.ops import Conv2d
from tests.compile.graphs import program, single, sparse_array
from tests.compile.random_cases import case


def test_tiles_that_overlap_are_not_shared_out_where_sums_wait_in_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A thread would add its last block to what another one has finished already."""
    tried = case(580363)  # 25×11 pixels, tiles of 7×2 vectors, two blocks, one filter, two threads
    made = []

    def recorded(conv: Any, candidate: Any) -> dict[str, Any]:
        found = arguments(conv, candidate)
        made.append((conv, candidate, np.asarray(found["tile_shares"]).reshape(-1, 2)))
        return found

    arguments = direct_conv._arguments
    monkeypatch.setattr(direct_conv, "_arguments", recorded)
    program(tried.graph, **tried.options).close()
    overlapping = 0
    for conv, candidate, shares in made:
        kernel, planes = candidate.kernel, conv.target.planes
        tiles = shares.max()
        if candidate.blocks > 1 and tiles * kernel.tile_h * kernel.tile_w > (
            planes.tile_h * planes.tile_w
        ):
            overlapping += 1
            assert (shares == [0, tiles]).all(), (candidate, shares)
    assert overlapping


@pytest.mark.parametrize(
    ("size", "threads", "near"), [(64, 1, True), (64, 8, False), (8, 1, False)]
)
def test_where_many_tiles_walk_a_stream_it_is_not_asked_for_ahead(
    size: int, threads: int, near: bool
) -> None:
    weight = sparse_array(np.random.default_rng(0), (16, 16, 3, 3), 0.1)
    graph = single(Conv2d(padding=(1, 1, 1, 1)), (1, 16, size, size), weight=weight)
    with program(graph, lanes=8, threads=threads) as compiled:
        (label,) = [
            r.kernel for r in compiled.plan_for((16, size, size)).reports if "conv" in r.kernel
        ]
    assert ("sparse" in label, "-near" in label) == (True, near)
