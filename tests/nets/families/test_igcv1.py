"""Counts from the definition; those that the paper prints are in the records."""

import pytest
import torch
from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.create import create_model
from gossamer.nets.registry import NETWORKS

CIFAR = (3, 32, 32)


def conv_weights(model: nn.Module) -> int:
    return sum(m.weight.numel() for m in model.modules() if isinstance(m, nn.Conv2d))


@pytest.mark.parametrize(
    ("name", "convs", "total"),
    [
        ("regconv-w16-d20", 267_696, 269_722),
        ("igcv1-l24m2-d20", 149_904, 155_962),
        ("igcv1-l24m2-d38", 307_152, 317_242),
        ("igcv1-l24m2-d62", 516_816, 532_282),
        ("igcv1-l100m2-imagenet", 7_006_700, 8_637_900),
        ("igcv1-l4m32-imagenet", 11_207_040, 12_251_240),
        ("igcv1-l16m16-imagenet", 11_440_896, 13_528_296),
    ],
)
def test_convolutions_and_all_parameters(on_meta, name, convs, total):
    model = on_meta(name)
    assert (conv_weights(model), sum(p.numel() for p in model.parameters())) == (convs, total)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("regconv-w18-d20", 341_020),
        ("regconv-w18-d38", 709_948),
        ("regconv-w18-d62", 1_201_852),
        ("igcv1-l4m8-d20", 277_546),
        ("igcv1-l4m8-d38", 575_914),
        ("igcv1-l4m8-d62", 973_738),
        ("igcv1-l24m2-d50-identity", 426_298),
        ("igcv1-l24m2-d74-identity", 641_338),
        ("igcv1-l24m2-d98-identity", 856_378),
        ("regconv-w18-d50-identity", 959_356),
        ("regconv-w18-d74-identity", 1_451_260),
        ("regconv-w18-d98-identity", 1_943_164),
        ("regconv-w16-d50-identity", 758_554),
        ("regconv-w16-d74-identity", 1_147_418),
        ("regconv-w16-d98-identity", 1_536_282),
        ("igcv1-l16m32-d20-identity", 17_697_290),
        ("igcv1-l32m26-d20-identity", 24_055_626),
        ("igcv1-l450m2-d20-identity", 19_055_710),
    ],
)
def test_records_hold_the_known_counts(name, params):
    # That the records hold the truth is a test over all networks.
    assert NETWORKS[name].params == params


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("regconv-w16-d20", 40.55),
        ("regconv-w18-d20", 51.26),
        ("regconv-w18-d38", 105.01),
        ("regconv-w18-d62", 176.67),
        ("igcv1-l24m2-d20", 28.76),
        ("igcv1-l24m2-d38", 57.07),
        ("igcv1-l24m2-d62", 94.82),
        ("igcv1-l4m8-d20", 42.37),
        ("igcv1-l4m8-d38", 86.21),
        ("igcv1-l4m8-d62", 144.67),
    ],
)
def test_records_hold_the_known_macs(name, millions):
    assert NETWORKS[name].macs / 1e6 == pytest.approx(millions, abs=0.005)


@pytest.mark.parametrize(
    ("name", "macs"),
    [
        ("igcv1-l16m32-d20-identity", 2686e6),
        ("igcv1-l32m26-d20-identity", 3721e6),
        ("igcv1-l450m2-d20-identity", 4663e6),
        ("igcv1-l100m2-imagenet", 1264.8e6),
        ("igcv1-l4m32-imagenet", 1944.6e6),
        ("igcv1-l16m16-imagenet", 2266.0e6),
    ],
)
def test_records_hold_the_known_macs_of_the_large(name, macs):
    assert NETWORKS[name].macs == pytest.approx(macs, abs=0.5e6)


def test_l450m2_with_a_hundred_classes(on_meta, cost):
    model = on_meta("igcv1-l450m2-d20-identity", num_classes=100)
    assert cost(model, CIFAR)[0] == 19_379_800


def test_options_lead_to_the_other_members(on_meta, cost):
    wide = on_meta("igcv1-l24m2-d20", primary=16, secondary=32, identity=True)
    assert cost(wide, CIFAR)[0] == 17_697_290
    assert cost(on_meta("regconv-w16-d20", depth=38), CIFAR)[0] == 561_370


@pytest.mark.parametrize("name", ["igcv1-l24m2-d20", "igcv1-l24m2-d50-identity"])
def test_stages_halve_the_size_and_double_the_width(name):
    model = create_model(name).eval()
    x = model.stem(torch.zeros(1, 3, 32, 32))
    shapes = [x.shape[1:]]
    for block in model.blocks:
        x = block(x)
        if x.shape[1:] != shapes[-1]:
            shapes.append(x.shape[1:])
    assert shapes == [(48, 32, 32), (96, 16, 16), (192, 8, 8)]


def test_cifar_keeps_l_and_doubles_m(on_meta):
    model = on_meta("igcv1-l4m8-d20")
    groups = [(b.primary.groups, b.secondary.groups) for b in model.blocks]
    assert groups == [(4, 8)] * 6 + [(4, 16)] * 6 + [(4, 32)] * 6


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("igcv1-l100m2-imagenet", [(100, 2), (200, 2), (400, 2), (800, 2)]),
        ("igcv1-l4m32-imagenet", [(4, 32), (4, 64), (4, 128), (4, 256)]),
    ],
)
def test_imagenet_doubles_l_or_m(on_meta, name, groups):
    model = on_meta(name)
    first = [unit.body[0] for unit in model.blocks][::2]
    assert [(b.primary.groups, b.secondary.groups) for b in first] == groups


def test_only_l100m2_projects_in_its_first_unit(on_meta):
    for name, projects in (("igcv1-l100m2-imagenet", True), ("igcv1-l4m32-imagenet", False)):
        assert isinstance(on_meta(name).blocks[0].shortcut, nn.Identity) != projects


@pytest.mark.parametrize("depth", [2, 19, 21, -1])
def test_depth_must_fit_three_stages(depth):
    with pytest.raises(SpecError, match="3·B"):
        create_model("igcv1-l24m2-d20", depth=depth)


def test_depth_with_shortcuts_must_fit_units_of_two():
    with pytest.raises(SpecError, match=r"6·B.*got 11"):
        create_model("igcv1-l24m2-d50-identity", depth=11)


def test_only_one_of_the_two_can_double():
    with pytest.raises(SpecError, match="unknown doubling"):
        create_model("igcv1-l4m32-imagenet", doubling="both")
