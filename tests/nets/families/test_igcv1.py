"""Counts from the definition; the paper prints 0.15 M for IGC-L24M2 and 0.34 M for RegConv-W18."""

import pytest
import torch
from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.create import create_model


def conv_weights(model: nn.Module) -> int:
    return sum(m.weight.numel() for m in model.modules() if isinstance(m, nn.Conv2d))


@pytest.mark.parametrize(
    ("name", "depth", "total"),
    [
        ("igcv1-l24m2-d20", 20, 155_962),
        ("igcv1-l24m2-d20", 38, 317_242),
        ("igcv1-l24m2-d20", 62, 532_282),
        ("igcv1-l4m8-d20", 20, 277_546),
        ("igcv1-l4m8-d20", 38, 575_914),
        ("regconv-w16-d20", 20, 269_722),
        ("regconv-w18-d20", 38, 709_948),
        ("regconv-w18-d20", 62, 1_201_852),
    ],
)
def test_exact_totals(name, depth, total):
    model = create_model(name, depth=depth)
    assert sum(p.numel() for p in model.parameters()) == total


@pytest.mark.parametrize(
    ("name", "weights"), [("igcv1-l24m2-d20", 149_904), ("regconv-w16-d20", 267_696)]
)
def test_exact_convolution_weights(name, weights):
    assert conv_weights(create_model(name)) == weights


def test_stages_halve_the_size_and_double_the_width():
    model = create_model("igcv1-l24m2-d20").eval()
    x = model.stem(torch.zeros(1, 3, 32, 32))
    shapes = [x.shape[1:]]
    for block in model.blocks:
        x = block(x)
        if x.shape[1:] != shapes[-1]:
            shapes.append(x.shape[1:])
    assert shapes == [(48, 32, 32), (96, 16, 16), (192, 8, 8)]


@pytest.mark.parametrize("depth", [2, 19, 21, -1])
def test_depth_must_fit_three_stages(depth):
    with pytest.raises(SpecError, match="3·B"):
        create_model("igcv1-l24m2-d20", depth=depth)
