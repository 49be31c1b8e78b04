"""Counts of the paper's networks, by our own and another toolkit's count (parameters)."""

import re

import pytest
import torch
from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.create import create_model
from gossamer.nets.registry import NETWORKS

MEMBERS = [name for name in NETWORKS if name.startswith("densenet-")]


@pytest.mark.parametrize("name", MEMBERS)
def test_records_hold_the_cost(name, on_meta, cost):
    record = NETWORKS[name]
    assert cost(on_meta(name), record.input_shape) == (record.params, record.macs)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("densenet-40-k12-cifar", 1_019_722),
        ("densenet-100-k12-cifar", 6_979_642),
        ("densenet-100-k24-cifar", 27_249_082),
        ("densenet-bc-100-k12-cifar", 769_162),
        ("densenet-bc-250-k24-cifar", 15_324_406),
        ("densenet-bc-190-k40-cifar", 25_624_430),
        ("densenet-121", 7_978_856),
        ("densenet-161", 28_681_000),
        ("densenet-169", 14_149_480),
        ("densenet-201", 20_013_928),
        ("densenet-264", 33_337_704),
    ],
)
def test_parameters(name, params):
    assert NETWORKS[name].params == params


@pytest.mark.parametrize(
    ("name", "options", "params", "macs"),
    [
        ("densenet-40-k12-cifar", {"stem": 24}, 1_100_428, 282_958_368),
        ("densenet-100-k12-cifar", {"stem": 24}, 7_189_468, 1_816_849_248),
        ("densenet-100-k24-cifar", {"stem": 48}, 28_283_476, 7_265_834_688),
        ("densenet-bc-100-k12-cifar", {}, 800_032, 287_960_472),
        ("densenet-bc-250-k24-cifar", {}, 15_480_556, 5_418_941_784),
        ("densenet-bc-190-k40-cifar", {}, 25_821_620, 9_302_142_840),
    ],
)
def test_hundred_classes_as_in_the_sparsenet_paper(name, options, params, macs, on_meta, cost):
    model = on_meta(name, num_classes=100, **options)
    assert cost(model, (3, 32, 32)) == (params, macs)


@pytest.mark.parametrize(
    ("growth", "params", "macs"),
    [
        (24, 376_084, 144.8e6),
        (36, 817_660, 324.7e6),
        (48, 1_428_292, 576.3e6),
        (60, 2_207_980, 899.6e6),
    ],
)
def test_x_densenets_count_what_is_connected(growth, params, macs, on_meta):
    """X-DenseNet-BC-40-k with X = 2, 100 classes; MACs in the tables are rounded."""
    options = {"depth": 40, "growth": growth, "expander": 2}
    model = on_meta("densenet-bc-100-k12-cifar", num_classes=100, **options)
    rest = sum(p.numel() for p in model.parameters())
    counted, size, unconnected = 0, 32 * 32, 0
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Conv2d):
            kernel, dense = layer.kernel_size[0] ** 2, layer.weight.numel()
            connected = getattr(layer, "connections", dense // kernel) * kernel
            unconnected += dense - connected
            counted += connected * size
            size //= 4 if "transition" in name else 1
    counted += model.classifier.weight.numel()
    assert rest - unconnected == params
    assert counted == pytest.approx(macs, abs=0.05e6)


def test_twice_the_compression_makes_another_toolkits_network(on_meta, cost):
    model = on_meta("densenet-40-k12-cifar", compression=0.5, stem=24)
    assert cost(model, (3, 32, 32))[0] == 599_050


def test_names_are_those_of_torchvision(on_meta):
    state = on_meta("densenet-121").state_dict()
    norm = r"(weight|bias|running_mean|running_var|num_batches_tracked)"
    pattern = (
        r"features\.conv0\.weight|features\.norm[05]\." + norm + r"|classifier\.(weight|bias)"
        r"|features\.denseblock[1-4]\.denselayer\d+\.(norm[12]\." + norm + r"|conv[12]\.weight)"
        r"|features\.transition[1-3]\.(norm\." + norm + r"|conv\.weight)"
    )
    assert [name for name in state if not re.fullmatch(pattern, name)] == []
    assert len(state) == 727  # the number of entries of torchvision's state dict
    assert state["features.denseblock3.denselayer24.conv1.weight"].shape == (128, 992, 1, 1)
    assert state["features.transition2.conv.weight"].shape == (256, 512, 1, 1)


def test_every_layer_reads_all_before_it():
    model = create_model("densenet-40-k12-cifar", depth=10, growth=2).eval()
    stage = model.features.denseblock1
    x = torch.randn(1, 16, 8, 8, generator=torch.Generator().manual_seed(0))
    first = torch.cat([x, stage.denselayer1(x)], 1)
    torch.testing.assert_close(stage(x), torch.cat([first, stage.denselayer2(first)], 1))


@pytest.mark.parametrize("name", ["densenet-40-k12-cifar", "densenet-bc-100-k12-cifar"])
def test_least_size(name):
    model = create_model(name, depth=10, growth=2).eval()
    assert model(torch.zeros(1, 3, 4, 4)).shape == (1, 10)
    with pytest.raises(RuntimeError):
        model(torch.zeros(1, 3, 3, 3))


def test_least_size_of_the_large_ones():
    model = create_model("densenet-121", blocks=(1, 1, 1, 1), growth=2).eval()
    assert model(torch.zeros(1, 3, 29, 29)).shape == (1, 1000)
    with pytest.raises(RuntimeError):
        model(torch.zeros(1, 3, 28, 28))


def test_recomputation_is_an_option():
    model = create_model("densenet-bc-100-k12-cifar", depth=16, checkpoint=1)
    model(torch.zeros(2, 3, 8, 8)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize(
    "options",
    [
        {"depth": 41},
        {"depth": 4},
        {"depth": -2},
        {"growth": 0},
        {"bottleneck": True, "depth": 13},
        {"compression": 0},
        {"compression": 1.5},
        {"checkpoint": -1},
        {"stem": -2},
    ],
)
def test_options_are_checked(options):
    with pytest.raises(SpecError):
        create_model("densenet-40-k12-cifar", **options)


@pytest.mark.parametrize("options", [{"blocks": (6, 0, 2)}, {"growth": 0}, {"growth": -3}])
def test_options_of_the_large_ones_are_checked(options):
    with pytest.raises(SpecError):
        create_model("densenet-121", **options)
