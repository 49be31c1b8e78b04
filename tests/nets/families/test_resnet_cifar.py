import pytest
from torch import nn

from gossamer.errors import SpecError

# What other toolkits publish: option B throughout, and their counts.
OPTION_B = [
    (20, False, 272_474),
    (56, False, 855_770),
    (110, False, 1_730_714),
    (164, True, 1_704_154),
    pytest.param(1001, True, 10_328_602, marks=pytest.mark.slow),
]
PRE_ACTIVATION = [
    (20, False, 10, 272_282),
    (56, False, 10, 855_578),
    (110, False, 10, 1_730_522),
    pytest.param(1202, False, 10, 19_423_834, marks=pytest.mark.slow),
    (164, True, 10, 1_703_258),
    (272, True, 10, 2_816_090),
    pytest.param(1001, True, 10, 10_327_706, marks=pytest.mark.slow),
    (110, False, 100, 1_736_372),
    (164, True, 100, 1_726_388),
    pytest.param(1001, True, 100, 10_350_836, marks=pytest.mark.slow),
]


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(("depth", "bottlenecks", "count"), OPTION_B)
def test_option_b(on_meta, depth, bottlenecks, count):
    model = on_meta("resnet-20-cifar", depth=depth, bottlenecks=bottlenecks, option="B")
    assert parameters(model) == count


@pytest.mark.parametrize("depth", [20, 32, 44])
def test_option_b_costs_2752_parameters(on_meta, depth):
    options = [on_meta("resnet-20-cifar", depth=depth, option=option) for option in "AB"]
    assert parameters(options[1]) - parameters(options[0]) == 2_752


@pytest.mark.parametrize(("depth", "bottlenecks", "classes", "count"), PRE_ACTIVATION)
def test_pre_activation(on_meta, depth, bottlenecks, classes, count):
    model = on_meta(
        "preresnet-164-cifar", depth=depth, bottlenecks=bottlenecks, num_classes=classes
    )
    assert parameters(model) == count


def test_option_a_has_no_parameters_but_those_of_the_plain_net(on_meta):
    model = on_meta("resnet-20-cifar")
    assert parameters(model) == parameters(on_meta("regconv-w16-d20"))
    assert not [name for name, _ in model.named_parameters() if "shortcut" in name]


@pytest.mark.parametrize(
    "options",
    [{"depth": 2}, {"depth": 21}, {"depth": 26, "bottlenecks": True}, {"width": 0}],
)
def test_depth_must_fit(on_meta, options):
    with pytest.raises(SpecError, match="n ≥ 1"):
        on_meta("resnet-20-cifar", **options)


def test_unknown_option(on_meta):
    with pytest.raises(SpecError, match="shortcut option"):
        on_meta("resnet-20-cifar", option="C")
