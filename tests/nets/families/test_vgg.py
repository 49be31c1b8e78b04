import pytest
import torch
from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.create import create_model


@pytest.mark.parametrize(
    ("name", "convolutions"),
    [("vgg-11", 8), ("vgg-13", 10), ("vgg-16", 13), ("vgg-16-c", 13), ("vgg-19", 16)],
)
def test_layers_of_each_configuration(on_meta, name, convolutions):
    model = on_meta(name)
    convs = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert len(convs) == convolutions
    assert [stage[0].out_channels for stage in model.stages] == [64, 128, 256, 512, 512]
    small = [conv for conv in convs if conv.kernel_size == (1, 1)]
    assert len(small) == (3 if name == "vgg-16-c" else 0)


def test_batch_norm_follows_every_convolution(on_meta):
    names = [name for name, _ in on_meta("vgg-11-bn").stages[2].named_children()]
    assert names == ["conv1", "norm1", "act1", "conv2", "norm2", "act2", "pool"]


def test_cifar_sized_member_runs():
    options = {"size": 32, "width": 4, "hidden": 8, "num_classes": 10}
    model = create_model("vgg-16-bn", **options).eval()
    assert model.head.fc1.in_features == 32
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize("options", [{"size": 31}, {"width": 0}, {"hidden": 0}, {"layout": "12"}])
def test_unusable_options(on_meta, options):
    with pytest.raises(SpecError):
        on_meta("vgg-11", **options)
