import pytest
import torch
from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.highway import Highway
from gossamer.nets.create import create_model


def test_nineteen_layers(on_meta):
    model = on_meta("highway-19-cifar")
    gated = [m for m in model.modules() if isinstance(m, Highway)]
    assert [layer.gate.in_channels for layer in gated] == [32] * 4 + [80] * 5 + [128] * 5
    plain = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(gated) + len(plain) - 2 * len(gated) == 19
    assert model.mix.conv.weight.shape == (100, 128, 1, 1)


def test_no_norm_anywhere(on_meta):
    kinds = {type(m) for m in on_meta("highway-19-cifar").modules()}
    assert nn.BatchNorm2d not in kinds


def test_parts_are_options():
    model = create_model("highway-19-cifar", widths=(4, 6), depths=(1, 2), gate_bias=-1.0).eval()
    assert model(torch.zeros(1, 3, 8, 8)).shape == (1, 10)
    assert (model.part2.highway2.gate.bias == -1).all()


@pytest.mark.parametrize(
    "options", [{"widths": (4, 6)}, {"widths": (), "depths": ()}, {"depths": (4, 0, 5)}]
)
def test_widths_and_depths_describe_the_same_parts(options):
    with pytest.raises(SpecError, match="width and depth a part"):
        create_model("highway-19-cifar", **options)
