from copy import deepcopy

import pytest
import torch
from torch import nn

from gossamer.compress.cluster.share import ShareWeights
from gossamer.compress.cluster.tie import Tie
from gossamer.compress.contract import Context
from gossamer.compress.prune.gradual import GradualPrune
from gossamer.errors import PassError
from gossamer.train.recipe import Recipe

SHORT = Recipe(epochs=2, batch_size=10, optimiser="adamw", learning_rate=1e-3, weight_decay=0.0)
ONE_SHOT = Recipe(epochs=0)


def weights(model):
    return {name: p for name, p in model.named_parameters() if p.ndim > 1}


@pytest.mark.parametrize("bits", [1, 3])
@pytest.mark.parametrize(
    "training", [ONE_SHOT, SHORT, Recipe(epochs=1, batch_size=10, learning_rate=1e-3)]
)
def test_few_values_and_the_same_zeros(small_parent, small_data, small_example, bits, training):
    context = Context(small_example, small_data)
    model = GradualPrune(0.5, training=ONE_SHOT).apply(deepcopy(small_parent), context)
    dead = {name: w == 0 for name, w in weights(model).items()}
    options = ShareWeights(bits, training=training)
    options.apply(model, context)
    for name, weight in weights(model).items():
        assert torch.equal(weight == 0, dead[name])
        assert 1 <= weight[weight != 0].unique().numel() <= 2**bits
    # Evenly spaced starts may leave clusters empty, but never one side of zero.
    assert 2 <= options.got(model)["distinct_values"] <= 2**bits


def test_every_weight_moves_to_the_nearest_value(small_parent, small_example):
    model = ShareWeights(3, training=ONE_SHOT).apply(deepcopy(small_parent), Context(small_example))
    for name, shared in weights(model).items():
        before = dict(small_parent.named_parameters())[name].detach()
        table = shared.detach().unique()
        distances = (before[..., None] - table).abs()
        torch.testing.assert_close((before - shared.detach()).abs(), distances.min(-1).values)


def test_training_moves_values_and_leaves_no_hook(small_parent, small_data, small_example):
    context = Context(small_example, small_data)
    fixed = ShareWeights(2, training=ONE_SHOT).apply(deepcopy(small_parent), context)
    trained = ShareWeights(2, training=SHORT).apply(deepcopy(small_parent), context)
    for name, weight in weights(trained).items():
        assert not torch.equal(weight, weights(fixed)[name])
        assert not weight._backward_hooks


def test_gradient_is_the_sum_over_the_members():
    codes = torch.tensor([1, 0, 2, 1, 2, 2])
    codebook = torch.tensor([0.5, -1.0], requires_grad=True)
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    weight = nn.Parameter(torch.tensor([0.5, 0.0, -1.0, 0.5, -1.0, -1.0]).view(2, 3))
    weight.register_hook(Tie(weight, codes).sum_gradient)
    (x @ weight.T).square().sum().backward()
    # What autograd says when the weight is read from the codebook.
    tied = torch.cat([torch.zeros(1), codebook])[codes].view(2, 3)
    (x @ tied.T).square().sum().backward()
    expected = torch.cat([torch.zeros(1), codebook.grad])[codes].view(2, 3)
    torch.testing.assert_close(weight.grad, expected)
    assert weight.grad[0, 1] == 0


def test_restore_makes_members_equal_again():
    weight = nn.Parameter(torch.tensor([0.5, 0.0, 0.5, -1.0]))
    tie = Tie(weight, torch.tensor([2, 0, 2, 1]))
    with torch.no_grad():
        weight += torch.tensor([1e-7, 1e-7, 0.0, 0.25])
    tie.restore()
    assert weight[0] == weight[2]
    assert weight.tolist()[1::2] == [0.0, -0.75]


def test_a_layer_of_zeros_stays(small_parent, small_data, small_example):
    model = deepcopy(small_parent)
    nn.init.zeros_(model[3].weight)
    ShareWeights(2, training=SHORT).apply(model, Context(small_example, small_data))
    assert model[3].weight.count_nonzero() == 0


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"bits": 0}, "bits out of range"),
        ({"bits": 17}, "bits out of range"),
        ({"init": "best"}, "unknown start"),
        ({"channels": -1}, "channels out of range"),
        ({"include": ("nothing",)}, "no layer matches"),
    ],
)
def test_the_impossible_is_refused(small_parent, small_data, small_example, options, problem):
    with pytest.raises(PassError, match=f"share-weights: {problem}"):
        ShareWeights(**options).check(small_parent, Context(small_example, small_data))


@pytest.mark.parametrize("channels", [1, 3, 100])
def test_codebooks_of_some_channels(small_parent, small_data, small_example, channels):
    context = Context(small_example, small_data)
    options = ShareWeights(1, init="optimal", channels=channels, training=SHORT)
    model = options.apply(deepcopy(small_parent), context)
    for name, weight in weights(model).items():
        for start in range(0, len(weight), channels):
            assert weight[start : start + channels].unique().numel() <= 2
        if channels < len(weight):
            assert weight.unique().numel() > 2, name


def test_more_codebooks_are_nearer(small_parent, small_example):
    errors = []
    for channels in (0, 4, 1):
        options = ShareWeights(2, init="optimal", channels=channels, training=ONE_SHOT)
        model = options.apply(deepcopy(small_parent), Context(small_example))
        change = model[3].weight.detach() - small_parent[3].weight.detach()
        errors.append(float(change.square().sum()))
    assert errors[0] > errors[1] > errors[2]


def test_what_a_nonzero_takes(small_parent, small_example):
    model = deepcopy(small_parent)
    with torch.no_grad():
        model[0].weight.zero_().view(-1)[:16] = torch.tensor([0.5, -1.0, 2.0, 4.0]).repeat(4)
    options = ShareWeights(2, include=("0",), training=ONE_SHOT)
    options.apply(model, Context(small_example))
    # 16 weights on 4 values of 32 bits: 160 bits of 512 (Han et al. 2016, figure 3).
    assert options.got(model)["bits_per_nonzero"] == pytest.approx(160 / 16)


def test_zeros_of_other_layers_are_held(small_parent, small_data, small_example):
    model = deepcopy(small_parent)
    with torch.no_grad():
        model[3].weight[:, 0] = 0
    ShareWeights(2, include=("6",), training=SHORT).apply(model, Context(small_example, small_data))
    assert (model[3].weight[:, 0] == 0).all()
    assert (model[3].weight[:, 1] != 0).all()
