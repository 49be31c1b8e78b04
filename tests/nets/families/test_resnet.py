import pytest
import torch
from torch import nn

from gossamer.errors import SpecError


@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
def test_depth_counts_convolutions_and_the_linear_layer(on_meta, depth):
    model = on_meta(f"resnet-{depth}")
    layers = [
        name
        for name, m in model.named_modules()
        if isinstance(m, nn.Conv2d | nn.Linear) and "shortcut" not in name
    ]
    assert len(layers) == depth


def test_stages_of_resnet_50(on_meta):
    model = on_meta("resnet-50")
    x = model.stem(torch.zeros(1, 3, 224, 224, device="meta"))
    shapes = [tuple(x.shape[1:])]
    for block in model.blocks:
        x = block(x)
        if tuple(x.shape[1:]) != shapes[-1]:
            shapes.append(tuple(x.shape[1:]))
    expected = [(64, 56, 56), (256, 56, 56), (512, 28, 28), (1024, 14, 14), (2048, 7, 7)]
    assert shapes == expected


def test_wider_resnet_of_the_igcv1_paper(on_meta, cost):
    # Its table prints 11.333 M for 69 channels, which no convention gives.
    assert cost(on_meta("resnet-18", width=69), (3, 224, 224))[0] == 13_542_457


@pytest.mark.parametrize("options", [{"depth": 20}, {"width": 0}, {"option": "C"}])
def test_unusable_options(on_meta, options):
    with pytest.raises(SpecError):
        on_meta("resnet-18", **options)
