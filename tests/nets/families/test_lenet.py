import torch
from torch import nn

from gossamer.nets.create import create_model


def test_lenet_300_100_reads_the_pixels_in_rows():
    model = create_model("lenet-300-100")
    widths = [(m.in_features, m.out_features) for m in model if isinstance(m, nn.Linear)]
    assert widths == [(784, 300), (300, 100), (100, 10)]


def test_lenet_5_is_caffes():
    model = create_model("lenet-5")
    names = [name for name, _ in model.named_children()]
    assert names == ["conv1", "pool1", "conv2", "pool2", "flatten", "fc1", "act1", "fc2"]
    assert model[:4](torch.zeros(1, 1, 28, 28)).shape == (1, 50, 4, 4)
    assert [
        sum(p.numel() for p in layer.parameters()) for layer in model if [*layer.parameters()]
    ] == [
        520,
        25_050,
        400_500,
        5_010,
    ]
