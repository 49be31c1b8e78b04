from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gossamer.compile.lowering import direct_conv
from gossamer.graph.ops import Conv2d
from tests.compile.graphs import assert_equals_interpreter, program, single, sparse_array
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


@pytest.mark.parametrize(("size", "asks"), [(512, True), (64, False)])
def test_pictures_that_lie_in_memory_are_asked_for(size: int, asks: bool) -> None:
    weight = sparse_array(np.random.default_rng(0), (8, 8, 1, 1), 0.2)
    graph = single(Conv2d(), (1, 8, size, size), weight=weight)
    with program(graph, lanes=8) as compiled:
        labels = [r.kernel for r in compiled.plan_for((8, size, size)).reports]
    assert asks == any("-asks" in label for label in labels)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("density", [0.2, 1.0])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (3, 2)])
def test_kernels_that_ask_compute_the_same(
    kernel: int,
    stride: int,
    density: float,
    groups: int,
    threads: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(direct_conv, "FAR_BYTES", 0)
    monkeypatch.setattr(direct_conv, "ASKING", 0.0)  # they are the likeliest
    rng = np.random.default_rng(7)
    weight = sparse_array(rng, (12, 24 // groups, kernel, kernel), density)
    op = Conv2d(stride=(stride, stride), padding=(kernel // 2,) * 4, groups=groups)
    graph = single(op, (1, 24, 23, 37), weight=weight)
    x = rng.standard_normal((1, 24, 23, 37)).astype(np.float32)
    with program(graph, threads=threads) as compiled:
        assert any("-asks" in r.kernel for r in compiled.plan_for(x.shape[1:]).reports)
    assert_equals_interpreter(graph, x, threads=threads)
