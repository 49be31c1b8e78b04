from __future__ import annotations

from gossamer.compile.regions import Place, Region, planes_at


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
