import pytest
import torch
from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.skip import Skip


def test_exact_total_and_running_statistics(on_meta):
    model = on_meta("xception")
    params = sum(p.numel() for p in model.parameters())
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    assert params == 22_855_952
    assert params + 2 * sum(norm.num_features for norm in norms) == 22_910_480


def test_sizes_of_the_flows(on_meta):
    model = on_meta("xception")
    x = model.stem(torch.zeros(1, 3, 299, 299, device="meta"))
    assert x.shape == (1, 64, 147, 147)
    x = model.entry(x)
    assert x.shape == (1, 728, 19, 19)
    x = model.middle(x)
    assert x.shape == (1, 728, 19, 19)
    assert model.exit(x).shape == (1, 2048, 10, 10)


def test_first_module_has_no_leading_activation(on_meta):
    modules = [m for m in on_meta("xception").modules() if isinstance(m, Skip)]
    assert len(modules) == 3 + 8 + 1
    leading = [isinstance(module.body[0], nn.ReLU) for module in modules]
    assert leading == [False] + [True] * 11


@pytest.mark.parametrize("options", [{"middle": -1}, {"dropout": 1.5}])
def test_options_out_of_range(on_meta, options):
    with pytest.raises(SpecError, match="out of range"):
        on_meta("xception", **options)
