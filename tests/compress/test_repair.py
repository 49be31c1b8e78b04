"""Repair: nearer to the parent, zeros held."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from gossamer.compress.contract import Context
from gossamer.compress.norms import reestimate_norms
from gossamer.compress.repair import Repair
from gossamer.errors import PassError
from gossamer.train.recipe import Recipe

NONE = Recipe(epochs=0)


@pytest.fixture
def context(small_parent, small_data, small_example) -> Context:
    return Context(small_example, small_data, progress=False, parent=small_parent)


@pytest.fixture
def pruned(small_parent) -> nn.Module:
    model = deepcopy(small_parent)
    torch.manual_seed(0)
    with torch.no_grad():
        for layer in (model[0], model[3], model[6]):
            layer.weight.mul_(torch.rand(layer.weight.shape) > 0.5)
    return model


def error(model, parent, data) -> float:
    x = data.train.batch(np.arange(100))[0]
    with torch.no_grad():
        return float((model(x) - parent(x)).square().mean())


@pytest.mark.parametrize(
    ("options", "better"),
    [({"statistics": "none"}, 0.5), ({"reconstruct": False}, 1.0), ({}, 0.5),
     ({"statistics": "all"}, 0.5),
     ({"reconstruct": False, "statistics": "none", "training": Recipe(
         epochs=4, batch_size=20, learning_rate=0.02, distil=1.0)}, 0.5)],
    ids=["reconstruction", "means", "both", "with deviations", "training"],
)  # fmt: skip
def test_outputs_come_nearer_and_zeros_stay(
    pruned, small_parent, small_data, context, options, better
):
    plain = reestimate_norms(deepcopy(pruned), small_data.train)  # what compress does in any case
    before = error(plain, small_parent, small_data)
    zeros = {n: p == 0 for n, p in pruned.named_parameters() if n.endswith("weight")}
    step = replace(Repair(training=NONE), **options)
    step.check(pruned, context)
    model = step.apply(pruned, context)
    assert error(model.eval(), small_parent, small_data) < better * before
    for name in ("0.weight", "3.weight", "6.weight"):
        assert (model.get_parameter(name)[zeros[name]] == 0).all()
    assert step.got(model)["sparsity"] == pytest.approx(0.5, abs=0.1)


def test_layers_of_other_shapes_are_told(pruned, context):
    told = {}
    pruned[3], pruned[6] = nn.Conv2d(8, 4, 3), nn.Linear(16, 2)
    Repair(training=NONE).apply(pruned, replace(context, tell=told.__setitem__))
    assert set(told) == {"3", "6"}
    assert "another shape" in told["3"]


def test_means_alone_leave_weights_as_they_are(pruned, context):
    before = deepcopy(pruned)
    step = Repair(reconstruct=False, statistics="means", training=NONE)
    step.apply(pruned, context)
    for index in (0, 3, 6):
        assert torch.equal(pruned[index].weight, before[index].weight)
    assert not torch.equal(pruned[6].bias, before[6].bias)


@pytest.mark.parametrize(
    ("options", "problem"),
    [({"statistics": "some"}, "unknown statistics"), ({"images": 0}, "images out of range"),
     ({"include": ("no",)}, "no layer matches")],
)  # fmt: skip
def test_the_impossible_is_refused(small_parent, context, options, problem):
    with pytest.raises(PassError, match=f"repair: {problem}"):
        Repair(**options).check(small_parent, context)
    with pytest.raises(PassError, match="measuring needs data"):
        Repair(training=NONE).check(small_parent, Context(context.example_inputs))
