from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.compile.geometry import Halo, Planes, window_halo


@st.composite
def layouts(draw: st.DrawFn) -> Planes:
    split_h, split_w = draw(st.sampled_from([(1, 4), (2, 2), (4, 1), (8, 1), (2, 4), (4, 4)]))
    tile_h, tile_w = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    height, width = draw(st.integers(1, split_h * tile_h)), draw(st.integers(1, split_w * tile_w))
    halo = Halo(*(draw(st.integers(0, 7)) for _ in range(4)))
    return Planes(2, height, width, split_h, split_w, tile_h, tile_w, halo)


@given(layouts())
def test_each_pixel_has_one_lane(planes: Planes) -> None:
    pixels = planes.pixel_index()
    assert sorted(pixels[pixels >= 0]) == list(range(planes.height * planes.width))


@given(layouts())
def test_halo_table_gives_every_position_its_pixel(planes: Planes) -> None:
    """Carry out the moves in numpy and compare with what each tile position must hold."""
    margin = planes.lanes
    memory = np.full(planes.size_bytes // 4 + 2 * margin, np.nan, np.float32)
    picture = np.arange(planes.height * planes.width, dtype=np.float32).reshape(
        planes.height, planes.width
    )
    pixels = planes.pixel_index()
    for r in range(planes.tile_h):
        for x in range(planes.tile_w):
            at = margin + planes.offset(r, x) // 4
            memory[at : at + planes.lanes] = np.where(
                pixels[r, x] >= 0, picture.ravel()[pixels[r, x]], np.nan
            )
    moves, inside = planes.halo_table()
    for (to, source), mask in zip(moves // 4, inside, strict=True):
        read = memory[margin + source : margin + source + planes.lanes]
        memory[margin + to : margin + to + planes.lanes] = np.where(mask != 0, read, -1)
    for r in range(-planes.halo.top, planes.tile_h + planes.halo.bottom):
        for x in range(-planes.halo.left, planes.tile_w + planes.halo.right):
            at = margin + planes.offset(r, x) // 4
            assert memory[at : at + planes.lanes].tolist() == [
                _pixel(planes, picture, r, x, n) for n in range(planes.lanes)
            ]


def _pixel(planes: Planes, picture: np.ndarray, r: int, x: int, lane: int) -> float:
    row = (lane // planes.split_w) * planes.tile_h + r
    column = (lane % planes.split_w) * planes.tile_w + x
    inside = 0 <= row < planes.height and 0 <= column < planes.width
    return float(picture[row, column]) if inside else -1.0


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "expected"),
    [
        (3, 1, 1, Halo(1, 1, 1, 1)),
        (1, 1, 0, Halo()),
        (1, 2, 0, Halo()),
        (3, 2, 1, Halo(1, 1, 0, 0)),
        (7, 2, 3, Halo(3, 3, 2, 2)),
        (3, 1, 0, Halo(0, 0, 2, 2)),
    ],
)
def test_halo_of_a_window(kernel: int, stride: int, padding: int, expected: Halo) -> None:
    assert window_halo((kernel,) * 2, (stride,) * 2, (padding,) * 4, (1, 1)) == expected


def test_a_larger_halo_keeps_what_was_there() -> None:
    planes = Planes(1, 8, 8, 4, 1, 2, 8, Halo(1, 0, 2, 0))
    assert planes.with_halo(Halo(0, 3, 1, 0)).halo == Halo(1, 3, 2, 0)
    assert Halo().is_empty
    assert not planes.halo.is_empty


def test_echoes_of_what_lies_in_a_tile_are_of_that_place() -> None:
    """A tile may lie outside the picture as a whole; computing it writes there."""
    planes = Planes(1, 2, 10, 1, 4, 3, 3, Halo(1, 1, 1, 1))
    echoes = planes.echoes()
    at_home = planes.offsets(np.arange(3), np.arange(3)).ravel()
    for source, target in zip(echoes.sources, echoes.targets, strict=True):
        assert source == target or target not in at_home
