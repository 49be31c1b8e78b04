"""What a pass gave to weights is still there after a later one has trained them."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from gossamer.compress.cluster.share import ShareWeights
from gossamer.compress.contract import Context
from gossamer.compress.factor.factor import Factor
from gossamer.compress.factor.interleave import Interleave
from gossamer.compress.held import held_forms
from gossamer.compress.prune.dynamic import DynamicSparse
from gossamer.compress.prune.gradual import GradualPrune
from gossamer.compress.prune.one_shot import Prune
from gossamer.compress.quantise.quantise import QuantiseLayers
from gossamer.graph.rewrite.read_grids import grid_of
from gossamer.train.recipe import Recipe

NOTHING = Recipe(epochs=0)
SHORT = Recipe(epochs=2, batch_size=10, learning_rate=0.05)


@pytest.fixture
def context(small_data, small_example):
    return Context(small_example, small_data, progress=False)


def weights(model):
    return [m.weight.detach() for m in model if isinstance(m, nn.Conv2d | nn.Linear)]


@pytest.mark.parametrize("step", [Prune(0.5, training=SHORT), GradualPrune(0.5, training=SHORT)])
def test_a_codebook_survives_pruning(small_parent, context, step):
    shared = ShareWeights(2, init="optimal", training=NOTHING).apply(
        deepcopy(small_parent), context
    )
    before = deepcopy(shared.state_dict())
    pruned = step.apply(shared, context)
    assert step.got(pruned)["sparsity"] == pytest.approx(0.5, abs=0.01)
    for weight in weights(pruned):
        assert 1 <= weight[weight != 0].unique().numel() <= 4
    assert not torch.equal(pruned[3].weight[pruned[3].weight != 0].unique(),
                           before["3.weight"].unique())  # fmt: skip


@pytest.mark.parametrize("bits", [3, 8])
@pytest.mark.parametrize("step", [Prune(0.5, training=SHORT), GradualPrune(0.5, training=SHORT)])
def test_a_grid_survives_pruning(small_parent, context, step, bits):
    rounded = QuantiseLayers(bits).apply(deepcopy(small_parent), context)
    scales = [grid_of(weight.numpy()).scales for weight in weights(rounded)]
    before = [weight.clone() for weight in weights(rounded)]
    pruned = step.apply(rounded, context)
    assert step.got(pruned)["sparsity"] >= 0.49
    for weight, scale, old in zip(weights(pruned), scales, before, strict=True):
        steps = weight / torch.from_numpy(scale.copy()).view(-1, *(1,) * (weight.ndim - 1))
        assert torch.equal(steps, steps.round())
        assert steps.abs().max() <= 2 ** (bits - 1) - 1
        assert not torch.equal(weight, old * (weight != 0))  # some moved to other levels


@pytest.mark.parametrize(
    "step",
    [
        Factor(amount=0.2, images=40, include=("0",), training=SHORT),
        Interleave(amount=0.1, images=40, include=("0",), primary=1, training=SHORT),
    ],
    ids=lambda step: step.name,
)
def test_other_layers_keep_what_they_have_while_factors_are_trained(small_parent, context, step):
    rounded = QuantiseLayers(5, inputs=True, include=("0", "3")).apply(
        deepcopy(small_parent), context
    )
    ShareWeights(2, include=("6",), training=NOTHING).apply(rounded, context)
    before, levels = deepcopy(rounded), [rounded[0].levels, rounded[3].levels]
    made = step.apply(rounded, context)
    assert [made[0][0].levels, made[3].levels] == levels
    old, new = (grid_of(model[3].weight.detach().numpy()) for model in (before, made))
    assert new is not None
    steps = new.scales / old.scales
    assert (steps == steps.round()).all()
    assert not torch.equal(made[3].weight, before[3].weight)
    assert made[6].weight.unique().numel() <= 4
    assert not torch.equal(made[6].weight, before[6].weight)


def test_new_weights_of_dynamic_training_grow(small_parent, context):
    rounded = QuantiseLayers(4).apply(deepcopy(small_parent), context)
    step = DynamicSparse(0.5, every=5, training=SHORT)
    assert step.got(step.apply(rounded, context))["sparsity"] == pytest.approx(0.5, abs=0.02)


def test_hooks_are_gone_also_after_an_error():
    layer = nn.Linear(4, 4)
    nn.init.constant_(layer.weight, 0.5)

    def fail():
        with held_forms(layer, {}, frozenset()):
            assert len(layer.weight._backward_hooks) == 1
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        fail()
    assert not layer.weight._backward_hooks


def test_a_weight_that_two_layers_have_is_held_once(small_parent):
    """Else its gradient would be summed over each cluster twice."""
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = model[0].weight
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([0.5, -0.5]).repeat(8).view(4, 4))
    with held_forms(model, {}, frozenset()):
        (model[0].weight.sum() + model[1].weight.sum()).backward()
    assert model[0].weight.grad.unique().tolist() == [16.0]
