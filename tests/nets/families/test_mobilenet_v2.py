import pytest
import torch

from gossamer.errors import SpecError
from gossamer.nets.families.mobilenet_v2 import divisible_width

# In the order of the file of torchvision's mobilenet_v2: first and last, and the norms' place.
FIRST = [(32, 3, 3, 3), (32,), (32,), (32, 1, 3, 3), (32,), (32,), (16, 32, 1, 1), (16,), (16,)]


@pytest.mark.parametrize(
    ("width_multiplier", "params", "mmacs"),
    [
        (1.4, 6_108_776, 582.2),
        (1.0, 3_504_872, 300.77),
        (0.75, 2_636_424, 209.1),
        (0.5, 1_968_680, 97.1),
        (0.35, 1_677_128, 59.3),
    ],
)
def test_exact_totals(on_meta, cost, width_multiplier, params, mmacs):
    model = on_meta("mobilenet-v2", width_multiplier=width_multiplier)
    found, macs = cost(model, (3, 224, 224))
    assert found == params
    assert macs / 1e6 == pytest.approx(mmacs, abs=0.05)


def test_cifar_form_without_the_linear_layer(on_meta):
    model = on_meta("mobilenet-v2-cifar")
    params = [p.numel() for name, p in model.named_parameters() if not name.startswith("head")]
    assert sum(params) == 2_223_872
    x = model.blocks(model.stem(torch.zeros(1, 3, 32, 32, device="meta")))
    assert x.shape == (1, 1280, 4, 4)


def test_tensors_come_in_the_usual_order(on_meta):
    shapes = [tuple(p.shape) for p in on_meta("mobilenet-v2").parameters()]
    assert shapes[: len(FIRST)] == FIRST
    assert shapes[-2:] == [(1000, 1280), (1000,)]


@pytest.mark.parametrize("width", range(1, 1000))
def test_divisible_width_is_near_and_never_below_nine_tenths(width):
    rounded = divisible_width(width)
    assert rounded % 8 == 0
    assert rounded >= 0.9 * width
    assert rounded == 8 or abs(rounded - width) <= 4 or rounded - 8 < 0.9 * width


def test_multiplier_must_be_positive(on_meta):
    with pytest.raises(SpecError, match="must be positive"):
        on_meta("mobilenet-v2", width_multiplier=0)
