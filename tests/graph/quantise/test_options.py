from __future__ import annotations

import pytest

from gossamer.errors import SpecError
from gossamer.graph.quantise import QuantiseOptions


@pytest.mark.parametrize(
    "options",
    [
        {"calibration": "median"},
        {"percentile": 49.0},
        {"percentile": 101.0},
        {"weight_bits": 1},
        {"weight_bits": 9},
        {"weight_bits": 8.0},
    ],
)
def test_what_is_out_of_range_is_named(options: dict) -> None:
    with pytest.raises(SpecError):
        QuantiseOptions(**options)
