import pytest

from gossamer.errors import SpecError


@pytest.mark.parametrize(
    ("width_multiplier", "params", "mmacs"),
    [
        (1.0, 4_231_976, 568.7),
        (0.75, 2_585_560, 325.4),
        (0.5, 1_331_592, 149.5),
        (0.25, 470_072, 41.0),
    ],
)
def test_exact_totals(on_meta, cost, width_multiplier, params, mmacs):
    model = on_meta("mobilenet-v1", width_multiplier=width_multiplier)
    found, macs = cost(model, (3, 224, 224))
    assert found == params
    assert macs / 1e6 == pytest.approx(mmacs, abs=0.05)


def test_a_channel_must_be_left(on_meta):
    with pytest.raises(SpecError, match="no channel is left"):
        on_meta("mobilenet-v1", width_multiplier=0.03)
