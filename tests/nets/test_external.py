"""Networks of torchvision and timm, where they are installed."""

import sys

import pytest
import torch

from gossamer.errors import MissingDependencyError, SpecError, UnknownNameError
from gossamer.nets.create import create_model


@pytest.fixture
def timm(torchvision):
    return pytest.importorskip("timm", reason="timm is not installed")


@pytest.mark.parametrize(
    ("name", "module"),
    [("torchvision:resnet18", "torchvision.models"), ("timm:resnet18", "timm")],
)
def test_a_missing_library_is_named_with_a_hint(monkeypatch, name, module):
    monkeypatch.setitem(sys.modules, module, None)
    library = name.partition(":")[0]
    with pytest.raises(MissingDependencyError, match=rf"{library} cannot be imported.*zoo"):
        create_model(name)


def test_other_prefixes_are_unknown_networks():
    with pytest.raises(UnknownNameError, match="keras:resnet18"):
        create_model("keras:resnet18")


def test_torchvision_passes_through(torchvision):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    model = create_model("torchvision:squeezenet1_1", num_classes=7, seed=3)
    assert torch.equal(torch.rand(1), expected)
    assert model.training
    assert model(torch.zeros(2, 3, 64, 64)).shape == (2, 7)
    again = create_model("torchvision:squeezenet1_1", num_classes=7, seed=3, in_channels=3)
    pairs = zip(model.parameters(), again.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_torchvision_hands_options_on(torchvision):
    model = create_model("torchvision:mobilenet_v2", width_mult=0.25)
    assert model.features[0][0].out_channels == 8


def test_torchvision_refuses_in_one_line(torchvision):
    with pytest.raises(UnknownNameError, match="did you mean 'torchvision:resnet18'"):
        create_model("torchvision:resnet-18")
    with pytest.raises(SpecError, match="three channels"):
        create_model("torchvision:resnet18", in_channels=1)
    with pytest.raises(SpecError, match=r"torchvision refuses.*'depth'"):
        create_model("torchvision:resnet18", depth=3)
    with pytest.raises(SpecError, match="positive integer"):
        create_model("torchvision:resnet18", num_classes=0)


def test_timm_passes_through(timm):
    model = create_model("timm:resnet18", num_classes=7, in_channels=1)
    assert model(torch.zeros(2, 1, 64, 64)).shape == (2, 7)


def test_timm_refuses_in_one_line(timm):
    with pytest.raises(UnknownNameError, match="timm has no network 'resnet-l8'"):
        create_model("timm:resnet-l8")
    with pytest.raises(SpecError, match="timm refuses"):
        create_model("timm:resnet18", nonsense=3)
