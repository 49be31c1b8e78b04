"""Who shares what: tiles of a picture, or channels."""

from __future__ import annotations

import pytest

from gossamer.compile.lowering.pixel_tiles import shares_tiles


@pytest.mark.parametrize(
    ("tiles", "groups", "threads", "weights", "shared"),
    [
        (8, 64, 2, 10**9, True),  # enough for either
        (4, 64, 2, 1000, True),  # few, but even, and weights are small
        (4, 64, 2, 1001, False),  # each would walk more weights than the picture has bytes
        (3, 64, 2, 10, False),  # one thread would have two of three
        (3, 2, 2, 10**9, True),  # there are fewer groups than tiles
        (1, 1, 2, 10**9, True),
        (1, 64, 2, 1, False),
    ],
)
def test_tiles_are_shared_where_weights_are_small(
    tiles: int, groups: int, threads: int, weights: int, shared: bool
) -> None:
    found = shares_tiles(tiles, groups, threads, weight_bytes=weights, picture_bytes=1000)
    assert found is shared
