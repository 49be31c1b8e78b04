from __future__ import annotations

import numpy as np

from gossamer.compile.kernels.conv import ConvKernel
from gossamer.compile.lowering.conv_streams import ConvRows, build_streams


def test_a_row_without_weights_reads_only_its_own_taps() -> None:
    """Other channels of the memory may hold anything outside the picture, infinities too."""
    weight = np.array([[0, 0], [3, 0]], np.float32)
    rows = ConvRows(weight, np.array([[640, 704]]), np.array([0, 64]), np.zeros(2, np.float32))
    _, stream = build_streams(rows, ConvKernel(rows=2, tile_h=1, tile_w=1, unroll=2))
    assert stream[:4].view(np.float32).tolist() == [0, 3, 0, 0]
    assert set(stream[4:8].tolist()) <= {640, 704}
