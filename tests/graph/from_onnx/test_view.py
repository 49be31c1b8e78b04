"""Views against numpy: whatever is reshaped and transposed, the same entries stand where."""

from __future__ import annotations

from math import prod

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gossamer.graph.from_onnx.view import (
    View,
    chosen,
    features,
    is_plain,
    plain,
    regrouped,
    transposed,
    with_channel_axis,
)


def seen(view: View, source: np.ndarray) -> np.ndarray:
    """Return the array that a view stands for, by its definition."""
    channels = view.order.ndim
    picture = source.shape[2:] or (1, 1)
    array = source.reshape(*source.shape[:2], *picture)[:, view.order]  # N, channel axes, H, W
    axes, made = ["N", *"C" * channels, "H", "W"], []
    for letter in view.axes:
        if letter != "1":
            made.append(axes.index(letter))
            axes[made[-1]] = "used"
    rest = [axis for axis in range(array.ndim) if axis not in made]
    assert all(array.shape[axis] == 1 for axis in rest)
    return array.transpose(made + rest).reshape(view.sizes(source.shape))


@st.composite
def sources(draw: st.DrawFn) -> np.ndarray:
    sizes = draw(st.tuples(*[st.sampled_from(s) for s in ([1, 2], [1, 4, 6], [1, 2, 3], [1, 5])]))
    shape = sizes if draw(st.booleans()) else sizes[:2]
    return np.arange(prod(shape)).reshape(shape)


def regroupings(draw: st.DrawFn, sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Split some axes in two, join neighbours, put in and leave out axes of one entry."""
    target = [sizes[0]]
    for size in sizes[1:]:
        part = draw(st.sampled_from([d for d in range(1, size + 1) if size % d == 0]))
        if draw(st.booleans()) and len(target) > 1:
            target[-1] *= part
        else:
            target.append(part)
        target.append(size // part)
    return tuple(target)


@given(st.data())
def test_reshapes_and_transposes_are_those_of_numpy(data: st.DataObject) -> None:
    source = data.draw(sources())
    view, array = plain("x", source.shape), source
    np.testing.assert_array_equal(seen(view, source), array)
    for _ in range(data.draw(st.integers(1, 5))):
        if data.draw(st.booleans()):
            rest = data.draw(st.permutations(range(1, array.ndim)))
            view, array = transposed(view, [0, *rest]), array.transpose([0, *rest])
        else:
            target = data.draw(st.composite(regroupings)(array.shape))
            kept = regrouped(view, array.shape, target)
            if kept is None:
                flat = source.reshape(len(source), -1)
                index = features(view, (*source.shape[2:], 1, 1)[:2])
                np.testing.assert_array_equal(flat[:, index].reshape(array.shape), array)
                return
            view, array = kept, array.reshape(target)
        np.testing.assert_array_equal(seen(view, source), array)


def test_a_shuffle_is_an_order() -> None:
    sizes = (1, 6, 5, 5)
    split = regrouped(plain("x", sizes), sizes, (1, 2, 3, 5, 5))
    assert split is not None
    joined = regrouped(transposed(split, (0, 2, 1, 3, 4)), (1, 3, 2, 5, 5), sizes)
    assert joined is not None
    assert is_plain(joined, 4)
    assert joined.order.tolist() == [0, 3, 1, 4, 2, 5]


def test_channels_last_and_back_is_plain() -> None:
    view = transposed(plain("x", (1, 6, 5, 5)), (0, 2, 3, 1))
    assert not is_plain(view, 4)
    assert is_plain(transposed(view, (0, 3, 1, 2)), 4)


def test_a_picture_is_not_mixed_with_channels() -> None:
    sizes = (1, 6, 4, 5)
    for target in ((1, 12, 2, 5), (1, 6, 20), (1, 6, 5, 4), (1, 120)):
        assert regrouped(plain("x", sizes), sizes, target) is None


def test_choices_along_channels() -> None:
    view = transposed(plain("x", (1, 4, 5, 5)), (0, 2, 3, 1))
    channels, made = chosen(view, 3, [2, -1])
    assert channels.tolist() == [2, -1]
    assert made.axes == "NHWC"
    channels, made = chosen(view, 3, [3])
    assert channels.tolist() == [3]
    assert (made.axes, made.order.shape) == ("NHW1", ())
    assert with_channel_axis(made, 3).axes == "NHWC"
    assert with_channel_axis(view, 3) is view
