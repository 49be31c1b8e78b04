"""Counts of the condensed networks, as the authors' code and another toolkit have them.

The paper's MACs (65.8, 513, 529 and 274 M) count activations and pooling too.
"""

import pytest
import torch
from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.learned_group import LearnedGroupConv, condense_to
from gossamer.nets.create import create_model
from gossamer.nets.families.condensenet import condense
from gossamer.nets.registry import NETWORKS

MEMBERS = [name for name in NETWORKS if name.startswith("condensenet-")]
SMALL = {"blocks": (2, 2, 1), "growths": (4, 8, 16)}


@pytest.mark.parametrize("name", MEMBERS)
def test_records_hold_the_cost_in_training(name, on_meta, cost):
    record = NETWORKS[name]
    assert cost(on_meta(name), record.input_shape) == (record.params, record.macs)


@pytest.mark.parametrize(
    ("name", "params", "mega_macs"),
    [
        ("condensenet-50-cifar", 216_506, None),
        ("condensenet-74-cifar", 405_466, None),
        ("condensenet-86-cifar", 520_202, 62.4),
        ("condensenet-98-cifar", 648_442, None),
        ("condensenet-110-cifar", 790_186, None),
        ("condensenet-122-cifar", 945_434, None),
        ("condensenet-182-cifar", 4_209_226, 493.9),
        ("condensenet-74-c4g4", 4_773_944, 516.6),
        ("condensenet-74-c8g8", 2_935_416, 261.5),
    ],
)
def test_condensed_cost(name, params, mega_macs, on_meta, cost):
    found = cost(on_meta(name, condensed=True), NETWORKS[name].input_shape)
    assert found[0] == params
    assert mega_macs is None or round(found[1] / 1e6, 1) == mega_macs


@pytest.mark.parametrize("halved_head", [False, True])
def test_condensing_gives_the_network_that_is_built_condensed(halved_head):
    options = {**SMALL, "halved_head": halved_head}
    model = create_model("condensenet-50-cifar", **options).eval()
    condense_to(model, 3)
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    masked = model(x)
    condense(model, halved_head=halved_head)
    assert not [m for m in model.modules() if isinstance(m, LearnedGroupConv)]
    built = create_model("condensenet-50-cifar", condensed=True, **options).eval()
    built.load_state_dict(model.state_dict())
    torch.testing.assert_close(built(x), model(x))
    if not halved_head:
        torch.testing.assert_close(model(x), masked)


def test_features_accumulate_over_the_stages():
    model = create_model("condensenet-50-cifar", **SMALL)
    widths = [m.in_channels for m in model.modules() if isinstance(m, LearnedGroupConv)]
    assert widths == [8, 12, 16, 24, 32]
    assert model.head.in_features == 48
    assert {m.groups for m in model.modules() if type(m) is nn.Conv2d} == {1, 4}


def test_not_before_it_is_condensed():
    with pytest.raises(SpecError, match="not yet condensed"):
        condense(create_model("condensenet-50-cifar", **SMALL))


@pytest.mark.parametrize(
    ("name", "least"), [("condensenet-50-cifar", 4), ("condensenet-74-c4g4", 31)]
)
def test_least_size(name, least):
    assert NETWORKS[name].smallest == least
    options = {} if least == 4 else {"blocks": (1,) * 5, "growths": (4, 8, 16, 32, 64)}
    model = create_model(name, **options).eval()
    model(torch.zeros(1, 3, least, least))
    with pytest.raises(RuntimeError):
        model(torch.zeros(1, 3, least - 1, least - 1))


@pytest.mark.parametrize(
    "options",
    [
        {"blocks": ()},
        {"blocks": (1, 2)},
        {"blocks": (1, 0, 2)},
        {"growths": (8, 0, 8)},
        {"factor": 3},
        {"groups": 0},
    ],
)
def test_options_are_checked(options):
    with pytest.raises(SpecError):
        create_model("condensenet-50-cifar", **options)
