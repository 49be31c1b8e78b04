"""The letters used for shapes everywhere, and the arithmetic of window sizes.

N images, C channels, H height, W width; K output channels, R×S kernel height and width, G groups.
An activation is (N, C, H, W) or (N, F); a convolution weight is (K, C/G, R, S); a linear weight is
(K, F).
"""

from __future__ import annotations

from gossamer.errors import ShapeError


def window_output_size(
    size: int,
    kernel: int,
    *,
    stride: int = 1,
    padding: tuple[int, int] = (0, 0),
    dilation: int = 1,
    ceil_mode: bool = False,
) -> int:
    """Return how many positions a sliding window has along one axis.

    Args:
        size: input size in pixels, ≥ 1.
        kernel: taps along the axis, ≥ 1.
        stride: step in pixels, ≥ 1.
        padding: pixels added before and after.
        dilation: distance between taps in pixels, ≥ 1.
        ceil_mode: round up instead of down, but never start a window in the padding at the end
            (as PyTorch does).

    Raises:
        ShapeError: if not even one window fits.

    Examples:
        >>> window_output_size(224, 7, stride=2, padding=(3, 3))
        112
        >>> window_output_size(112, 3, stride=2, ceil_mode=True)
        56
    """
    span = dilation * (kernel - 1) + 1
    room = size + padding[0] + padding[1] - span
    if room < 0:
        raise ShapeError(
            "the window is larger than its padded input",
            got=span,
            expected=f"at most {span + room}",
        )
    if not ceil_mode:
        return room // stride + 1
    out = -(-room // stride) + 1
    return out - 1 if (out - 1) * stride >= size + padding[0] else out
