"""State dicts of torchvision's own networks, all numbers random, load and give equal outputs."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from gossamer.nets.create import create_model
from gossamer.nets.weights import load_weights

SMALL = [
    ("resnet18", "resnet-18", 64),
    ("mobilenet_v2", "mobilenet-v2", 64),
    ("squeezenet1_0", "squeezenet-1.0", 64),
    ("squeezenet1_1", "squeezenet-1.1", 64),
    ("densenet121", "densenet-121", 64),
    ("googlenet", "googlenet-torchvision", 64),
]
LARGE = [
    ("resnet34", "resnet-34", 64),
    ("resnet50", "resnet-50", 64),
    ("resnet101", "resnet-101", 64),
    ("resnet152", "resnet-152", 64),
    ("densenet161", "densenet-161", 64),
    ("densenet169", "densenet-169", 64),
    ("densenet201", "densenet-201", 64),
    ("vgg11", "vgg-11", 224),
    ("vgg13", "vgg-13", 224),
    ("vgg16", "vgg-16", 224),
    ("vgg19", "vgg-19", 224),
    ("vgg11_bn", "vgg-11-bn", 224),
    ("vgg13_bn", "vgg-13-bn", 224),
    ("vgg16_bn", "vgg-16-bn", 224),
    ("vgg19_bn", "vgg-19-bn", 224),
]


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
@pytest.mark.parametrize(
    ("theirs", "ours", "size"),
    [*SMALL, *(pytest.param(*case, marks=pytest.mark.slow) for case in LARGE)],
)
@torch.no_grad()
def test_outputs_agree(torchvision, tmp_path, theirs, ours, size, suffix):
    torch.manual_seed(0)
    extra = {"init_weights": False} if theirs == "googlenet" else {}
    reference = torchvision.get_model(theirs, weights=None, num_classes=10, **extra)
    for key, tensor in reference.state_dict().items():
        if key.endswith("running_var"):
            tensor.uniform_(0.5, 2)
        elif key.endswith(("running_mean", "bias")):
            tensor.normal_(0, 0.1)
    path = tmp_path / f"net.{suffix}"
    (torch.save if suffix == "pth" else save_file)(reference.state_dict(), path)
    model = load_weights(create_model(ours, num_classes=10), path)
    x = torch.randn(2, 3, size, size)
    expected = reference.eval()(x)
    got = model.eval()(x)
    assert expected.std() > 0
    assert (got - expected).abs().max() <= 1e-5 * expected.abs().max()
