"""The model counts the cache lines that a tile reads, no others."""

from __future__ import annotations

import pytest

from gossamer.compile.lowering.conv_candidates import Windows


@pytest.mark.parametrize(
    ("lanes", "kernel", "stride", "width", "row_bytes", "columns"),
    [
        (16, 1, 1, 7, 7 * 64, 7),
        (16, 1, 2, 7, 7 * 64, 7),  # what lies between is not read
        (16, 3, 2, 7, 15 * 64, 15),
        (8, 1, 1, 7, 4 * 64, 7),
        (8, 1, 1, 8, 4.5 * 64, 8),  # may begin in the middle of a line
        (8, 1, 2, 7, 7 * 64, 7),  # half of each line is
        (4, 1, 1, 1, 64, 1),
    ],
)
def test_lines_of_a_row(
    lanes: int, kernel: int, stride: int, width: int, row_bytes: float, columns: int
) -> None:
    windows = Windows(
        (4, 28), (kernel, kernel), (stride, stride), (1, 1), 10, lanes, (2**15, 2**19)
    )
    assert windows.input_bytes((2, width)) == kernel * 2 * 10 * row_bytes
    assert windows.bytes_per_read((2, width)) == row_bytes / columns
