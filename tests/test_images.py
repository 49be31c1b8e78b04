"""The record of a network's input, and pictures brought to it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gossamer.errors import DataError, MissingDependencyError, SpecError
from gossamer.images import InputRecord, read_pixels

GREY = InputRecord(4, 4, "L", scale=0.5, mean=(1.0,), deviation=(2.0,))
RGB = InputRecord(4, 6)


@pytest.mark.parametrize(
    "options",
    [
        {"height": 0},
        {"width": -1},
        {"channel_order": "CMYK"},
        {"resize": "tile"},
        {"mean": (0.0,)},
        {"deviation": (1.0, 1.0)},
        {"deviation": (1.0, 0.0, 1.0)},
    ],
)
def test_bad_records(options: dict) -> None:
    with pytest.raises(SpecError):
        InputRecord(**{"height": 4, "width": 4, **options})


@pytest.mark.parametrize("record", [GREY, RGB, InputRecord(1, 2, "BGR", class_names=("a", "ü"))])
def test_round_trip_through_json(record: InputRecord) -> None:
    assert InputRecord.from_dict(json.loads(json.dumps(record.to_dict()))) == record


FIELDS = list(RGB.to_dict())
JSON = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text())


@given(st.sampled_from(FIELDS), JSON)
def test_hostile_fields_are_a_named_error_or_a_record(field: str, value: object) -> None:
    data = {**RGB.to_dict(), field: value}
    try:
        record = InputRecord.from_dict(data)
    except SpecError:
        return
    assert record.height >= 1


@pytest.mark.parametrize("field", FIELDS)
def test_missing_fields_take_their_defaults_if_they_have_one(field: str) -> None:
    data = {key: value for key, value in RGB.to_dict().items() if key != field}
    if field in ("height", "width"):
        with pytest.raises(SpecError, match="not an input record"):
            InputRecord.from_dict(data)
    else:
        assert InputRecord.from_dict(data) == RGB


@pytest.mark.parametrize(
    "data", [None, [], "record", {**RGB.to_dict(), "extra": 1}, {**RGB.to_dict(), "height": "4"}]
)
def test_what_is_no_record(data: object) -> None:
    with pytest.raises(SpecError, match="not an input record"):
        InputRecord.from_dict(data)  # type: ignore[arg-type]


def test_normalise_known_values() -> None:
    pixels = np.array([[[0], [2], [4], [255]]] * 4, np.uint8)
    array = GREY.normalise(pixels)
    assert array.shape == (1, 1, 4, 4)
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array[0, 0, 0], [-0.5, 0, 0.5, 63.25])


def test_normalise_moves_channels_first() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 6, 3), np.uint8)
    array = RGB.normalise(pixels)
    np.testing.assert_allclose(array, pixels.transpose(0, 3, 1, 2) / 255, rtol=1e-6)
    assert array.flags.c_contiguous


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 1), (1, 1, 4, 6, 3)])
def test_wrong_pixel_arrays(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="wrong pixel array"):
        RGB.normalise(np.zeros(shape, np.uint8))


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """12×8, red in the left third, green in the middle, blue in the right."""
    pixels = np.zeros((8, 12, 3), np.uint8)
    for channel in range(3):
        pixels[:, 4 * channel : 4 * channel + 4, channel] = 255
    path = tmp_path / "picture.png"
    Image.fromarray(pixels).save(path)
    return path


def test_read_gives_the_network_its_input(picture: Path) -> None:
    array = InputRecord(8, 12).read(picture)
    assert array.shape == (1, 3, 8, 12)
    np.testing.assert_array_equal(array[0, 0, 0], [1.0] * 4 + [0.0] * 8)


def test_bgr_is_rgb_backwards(picture: Path) -> None:
    rgb, bgr = (InputRecord(8, 12, order).read(picture) for order in ("RGB", "BGR"))
    np.testing.assert_array_equal(bgr, rgb[:, ::-1])


def test_crop_keeps_proportions_and_stretch_does_not(picture: Path) -> None:
    crop = read_pixels(picture, InputRecord(8, 8, resize="crop"))
    assert crop.shape == (8, 8, 3)
    np.testing.assert_array_equal(crop[0, :, 1], [0, 0, 255, 255, 255, 255, 0, 0])
    stretch = read_pixels(picture, InputRecord(8, 6, resize="stretch"))
    assert (stretch[0, 0, 0], stretch[0, -1, 2]) == (255, 255)


def test_grey(picture: Path) -> None:
    assert GREY.read(picture).shape == (1, 1, 4, 4)


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + bytes(50)])
def test_files_that_are_no_picture(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    with pytest.raises(DataError, match="not a picture"):
        RGB.read(path)


def test_truncated_pictures(picture: Path) -> None:
    picture.write_bytes(picture.read_bytes()[:-30])
    with pytest.raises(DataError, match="not a picture"):
        RGB.read(picture)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        RGB.read(tmp_path / "none.png")
    with pytest.raises(DataError):
        RGB.read(tmp_path)


def test_says_which_package_is_missing(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingDependencyError, match="Pillow"):
        RGB.read(picture)
