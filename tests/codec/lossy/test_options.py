import pytest

from gossamer.codec.lossy.options import LossyOptions
from gossamer.errors import SpecError


@pytest.mark.parametrize(
    "wrong",
    [
        {"thrift": -0.1},
        {"thrift": 1.1},
        {"thrift": float("nan")},
        {"damping": 0},
        {"damping": float("inf")},
        {"rounds": 0},
        {"rounds": 1.5},
        {"places": 0},
        {"probes": 0},
        {"seed": -1},
        {"trellis": 1},
    ],
)
def test_options_out_of_range_are_refused(wrong):
    with pytest.raises(SpecError, match=next(iter(wrong))):
        LossyOptions(**wrong)
