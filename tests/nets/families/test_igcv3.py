import pytest
import torch
from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.shuffle import ChannelShuffle
from gossamer.nets.families.igcv3 import scaled_width

IMAGENET = (3, 224, 224)


@pytest.mark.parametrize(
    ("name", "params", "mmacs"),
    [
        ("igcv3-d", 3_491_688, 312.97),
        ("igcv3-d-0.75", 2_638_084, 189.9),
        ("igcv3-d-0.5", 1_985_528, 96.9),
        ("igcv3-d-0.7", 2_502_486, 174.6),
        ("igcv3-d-1.4", 6_024_454, 590.0),
        ("igcv3-d-g2g4", 3_063_304, 255.8),
        ("igcv3-w", 5_724_968, 585.8),
    ],
)
def test_exact_totals(on_meta, cost, name, params, mmacs):
    found, macs = cost(on_meta(name), IMAGENET)
    assert found == params
    assert macs / 1e6 == pytest.approx(mmacs, abs=0.05)


@pytest.mark.parametrize(
    ("width_multiplier", "params", "mmacs"),
    [(0.7, 2_447_130, 167.7), (1.4, 6_315_568, 621.5), (1.0, 3_491_688, 312.97)],
)
def test_totals_of_the_released_code(on_meta, cost, width_multiplier, params, mmacs):
    model = on_meta("igcv3-d", width_multiplier=width_multiplier, as_released=True)
    found, macs = cost(model, IMAGENET)
    assert found == params
    assert macs / 1e6 == pytest.approx(mmacs, abs=0.05)


def test_parts_of_the_whole(on_meta):
    model = on_meta("igcv3-d")
    convs = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert sum(conv.weight.numel() for conv in convs) == 2_146_144
    assert sum(p.numel() for p in model.parameters()) - 1_281_000 == 2_210_688
    # As in the released network: 32 blocks, 32 shuffles, 98 convolutions.
    assert len(convs) == 98
    assert sum(isinstance(m, ChannelShuffle) for m in model.modules()) == 32


def test_cifar_form_ends_at_four_by_four(on_meta, cost):
    model = on_meta("igcv3-d-cifar")
    params, macs = cost(model, (3, 32, 32))
    assert params - model.head.weight.numel() - 10 == 2_210_688
    assert macs / 1e6 == pytest.approx(93.5, abs=0.05)
    x = model.blocks(model.stem(torch.zeros(1, 3, 32, 32, device="meta")))
    assert x.shape == (1, 1280, 4, 4)


@pytest.mark.parametrize(("multiplier", "channels"), [(0.5, 96), (1.0, 96), (2.0, 193)])
def test_head_becomes_wider_but_never_narrower(on_meta, multiplier, channels):
    model = on_meta("igcv3-d-cifar", head=96, width_multiplier=multiplier)
    assert model.head.in_features == channels


@pytest.mark.parametrize("width", range(1, 400, 7))
@pytest.mark.parametrize("multiple", [2, 4])
def test_scaled_width_is_the_next_multiple(width, multiple):
    scaled = scaled_width(width, multiple)
    assert scaled % multiple == 0
    assert width <= scaled < width + multiple


@pytest.mark.parametrize(
    "options",
    [
        {"depths": (1, 2, 3)},
        {"depths": (1, 0, 1, 1, 1, 1, 1)},
        {"width_multiplier": 0.0},
        {"stage_multiplier": -1.0},
        {"groups": (0, 2)},
        {"head": 0},
    ],
)
def test_options_out_of_range(on_meta, options):
    with pytest.raises(SpecError):
        on_meta("igcv3-d", **options)
