from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gossamer.compile.geometry import Halo
from gossamer.compile.regions import Place, Region, count_echoes, planes_at

PADDING = Halo(1, 1, 1, 1)


def region_of(*sizes_and_strides: tuple[int, int]) -> tuple[Region, list[Place]]:
    """Return a chain of square planes: (size, stride before it) each."""
    region = Region()
    place, places = Place(region), []
    for size, stride in sizes_and_strides:
        place = place.after((stride, stride))
        place.hold((size, size), 1.0)
        places.append(place)
    return region, places


def test_tiles_are_in_proportion_to_the_strides() -> None:
    _, places = region_of((224, 1), (112, 2), (56, 2), (7, 8))
    tiles = [
        planes_at(place, 1, (size, size), 8)
        for place, size in zip(places, (224, 112, 56, 7), strict=True)
    ]
    assert [tiles[0].tile_h // t.tile_h for t in tiles] == [1, 2, 4, 32]
    assert all(t.split_h * t.tile_h >= t.height and t.split_w * t.tile_w >= t.width for t in tiles)


def test_a_split_in_two_directions_wastes_nothing_on_eight_by_eight() -> None:
    _, places = region_of((8, 1), (4, 2))
    planes = planes_at(places[0], 1, (8, 8), 16)
    assert planes.tile_h * planes.tile_w * 16 == 64


def test_one_pixel_has_a_tile() -> None:
    _, places = region_of((1, 1))
    planes = planes_at(places[0], 3, (1, 1), 8)
    assert (planes.tile_h, planes.tile_w) == (1, 1)


def test_after_many_strides_a_new_region_is_cheaper() -> None:
    _, places = region_of((4, 1))
    assert places[0].after((4, 4)).has_room
    assert not places[0].after((5, 5)).has_room


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([4, 8, 16]), st.data())
def test_echoes_are_counted_as_they_are_written(
    height: int, width: int, lanes: int, data: st.DataObject
) -> None:
    region = Region()
    place = Place(region)
    place.hold((height, width), 1.0)
    halo = Halo(*data.draw(st.tuples(*[st.integers(0, 3)] * 4)))
    planes = planes_at(place, 1, (height, width), lanes).with_halo(halo)
    split, tile = (planes.split_h, planes.split_w), (planes.tile_h, planes.tile_w)
    assert count_echoes(split, tile, (height, width), halo) == len(planes.echoes().rows)


def test_padding_asks_for_square_tiles() -> None:
    region, (place,) = region_of((32, 1))
    place.pad((32, 32), PADDING, 1)
    assert region.solve(8).first == (8, 16)
