import io
import re
from base64 import b64decode

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from gossamer.errors import ShapeError
from gossamer.report.pictures import Part, encode_png, picture_grey, picture_nonzeros, stacked_bar

SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9))


def decode(img):
    data = re.search(r'base64,([^"]+)"', img)
    return Image.open(io.BytesIO(b64decode(data.group(1))))


@given(SHAPES.flatmap(lambda shape: arrays(np.uint8, shape)))
def test_a_grey_png_holds_its_pixels(pixels):
    with Image.open(io.BytesIO(encode_png(pixels))) as picture:
        assert picture.mode == "L"
        assert np.array_equal(np.asarray(picture), pixels)


def test_a_palette_png_holds_colours_and_opacity():
    png = encode_png(np.array([[0, 1]], np.uint8), ((1, 2, 3, 0), (4, 5, 6, 255)))
    with Image.open(io.BytesIO(png)) as picture:
        assert np.asarray(picture.convert("RGBA")).tolist() == [[[1, 2, 3, 0], [4, 5, 6, 255]]]


@pytest.mark.parametrize(
    "pixels", [np.zeros(3, np.uint8), np.zeros((0, 3), np.uint8), np.zeros((2, 2))]
)
def test_other_arrays_are_refused(pixels):
    with pytest.raises(ShapeError):
        encode_png(pixels)


def test_tall_tensors_lie_down():
    weight = np.zeros((3, 2), np.float32)
    weight[2, 0] = 1
    with decode(picture_nonzeros(weight, "tall")) as picture:
        opacity = np.asarray(picture.convert("RGBA"))[..., 3]
    assert opacity.tolist() == [[0, 0, 255], [0, 0, 0]]


def test_nonzeros_are_one_row_an_output_channel():
    weight = np.zeros((2, 3, 1, 1), np.float32)
    weight[0, 2], weight[1, 0] = -1.0, 0.5
    html = picture_nonzeros(weight, 'a "name"')
    with decode(html) as picture:
        opacity = np.asarray(picture.convert("RGBA"))[..., 3]
    assert opacity.tolist() == [[0, 0, 255], [255, 0, 0]]
    assert "33.3% of 6 weights" in html
    assert "&quot;name&quot;" in html


def test_wide_tensors_are_drawn_one_pixel_a_weight():
    assert "width=2000 height=2" in picture_nonzeros(np.ones((2, 2000), np.float32), "wide")


def test_grey_pictures_keep_their_proportions():
    assert "width=64 height=32" in picture_grey(np.zeros((4, 8)), "x")


def test_the_parts_of_a_bar_fill_it():
    html = stacked_bar([Part("a", 1), Part("b", 3)], "bytes")
    widths = [float(width) for width in re.findall(r'width="([\d.]+)"', html)]
    assert widths == [250.0, 750.0]
    assert "b: 3 bytes (75.0%)" in html


def test_small_parts_are_gathered():
    html = stacked_bar([Part(f"p{i}", i) for i in range(1, 20)], "bits")
    assert html.count("<rect") == 7
    assert "others: 91 bits" in html
    assert "p19: 19 bits" in html


def test_names_in_a_bar_are_escaped():
    assert "<script>" not in stacked_bar([Part("<script>", 1)], "bytes")


def test_an_empty_bar_is_still_a_picture():
    assert "<svg" in stacked_bar([], "bytes")
