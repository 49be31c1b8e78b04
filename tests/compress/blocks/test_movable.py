import numpy as np
import pytest
import torch
from torch import nn

from gossamer.compress.blocks.movable import Movable, find_movable, places_of
from gossamer.compress.channels.units import find_structure
from gossamer.compress.channels.walk import follow
from gossamer.compress.layers import match_layers


def test_places_come_in_the_order_that_is_asked_for():
    units = np.array([4, 7, -1, 5, 4, 7, 5, 9])
    assert places_of(units, np.array([5, 4, 7])).tolist() == [[3, 6], [0, 4], [1, 5]]  # type: ignore
    assert places_of(units, np.array([4, 9])) is None  # twice and once
    assert places_of(units, np.array([3])) is None


def movable(*layers: nn.Module, height: int = 2) -> list[Movable]:
    model = nn.Sequential(*layers).eval().requires_grad_(False)
    found = find_structure(follow(model, torch.zeros(1, 3, 8, 8)))
    return find_movable(found, match_layers(model, (".*",), (), where="test"), height)


def test_the_last_bin_holds_what_is_left():
    (part,) = movable(nn.Conv2d(3, 10, 1), nn.Conv2d(10, 2, 1), height=4)
    assert part.sizes.tolist() == [4, 4, 2]
    assert part.layers == ("0",)
    assert part.magnitudes.shape == (10, 3)


def test_filters_of_all_groups_of_channels_count():
    first, second = movable(nn.Conv2d(3, 12, 1), nn.Conv2d(12, 8, 3, groups=2), nn.Conv2d(8, 2, 1))
    assert first.sizes.tolist() == [2, 2, 2]
    assert first.magnitudes.shape == (6, 2 * 3)
    assert second.sizes.tolist() == [2, 2]
    assert second.magnitudes.shape == (4, 2 * 6 * 9)


@pytest.mark.parametrize(
    ("layers", "height"),
    [
        ((nn.Conv2d(3, 4, 1), nn.Conv2d(4, 2, 1)), 4),  # one block: any order is as good
        ((nn.Conv2d(3, 3, 3, groups=3), nn.Conv2d(3, 2, 1)), 2),
        ((nn.Conv2d(3, 12, 1), nn.Conv2d(12, 12, 1, groups=6), nn.Conv2d(12, 2, 1)), 2),
    ],
)
def test_where_order_does_not_matter_nothing_moves(layers, height):
    assert movable(*layers, height=height) == []
