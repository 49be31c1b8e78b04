import pytest
import torch
from torch import nn

from gossamer.errors import SpecError

# Parameters and MACs of the convolutions with two towers.
CONVOLUTIONS = [
    ("conv1", 34_944, 55),
    ("conv2", 307_456, 27),
    ("conv3", 885_120, 13),
    ("conv4", 663_936, 13),
    ("conv5", 442_624, 13),
]


def test_convolutions_layer_by_layer(on_meta):
    model = on_meta("alexnet").eval()
    sizes = {}
    for name, layer in model.named_children():
        layer.register_forward_hook(lambda _, x, y, name=name: sizes.update({name: y.shape[2:]}))
    model(torch.zeros(1, 3, 227, 227, device="meta"))
    for name, params, size in CONVOLUTIONS:
        layer = getattr(model, name)
        assert sum(p.numel() for p in layer.parameters()) == params
        assert sizes[name] == (size, size)
    assert sizes["pool5"] == (6, 6)


def test_norm_stands_between_relu_and_pooling(on_meta):
    names = [name for name, _ in on_meta("alexnet").named_children()]
    assert names[:8] == ["conv1", "act1", "norm1", "pool1", "conv2", "act2", "norm2", "pool2"]
    without = [name for name, _ in on_meta("alexnet", norm=False).named_children()]
    assert without == [name for name in names if not name.startswith("norm")]


def test_the_norm_is_the_papers_formula(on_meta):
    layer = on_meta("alexnet").norm1
    assert isinstance(layer, nn.LocalResponseNorm)
    a = torch.randn(1, 9, 2, 3, generator=torch.Generator().manual_seed(0)) * 100
    for i in range(9):
        near = a[0, max(0, i - 2) : i + 3]
        expected = a[0, i] / (2 + 1e-4 * (near**2).sum(0)) ** 0.75
        torch.testing.assert_close(layer(a)[0, i], expected)


def test_towers_and_hidden_width_are_options(on_meta):
    groups = [m.groups for m in on_meta("alexnet").modules() if isinstance(m, nn.Conv2d)]
    assert groups == [1, 2, 1, 2, 2]
    assert on_meta("alexnet", hidden=10).head.fc3.in_features == 10
    for options in ({"groups": 3}, {"groups": 0}, {"hidden": 0}):
        with pytest.raises(SpecError):
            on_meta("alexnet", **options)
