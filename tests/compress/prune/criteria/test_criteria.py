"""What every registered criterion owes, and what each one is."""

from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from gossamer.compress.prune.criterion import Evidence
from gossamer.compress.prune.granularity import Granularity, parse_granularity
from gossamer.compress.prune.registry import CRITERIA, CURVATURES
from gossamer.compress.prune.selection import select

ELEMENT = Granularity()


@pytest.fixture
def evidence(small_parent, small_data) -> Evidence:
    return Evidence(deepcopy(small_parent), small_data.train, images=40, batch_size=25)


def layers_of(evidence: Evidence) -> dict[str, nn.Conv2d | nn.Linear]:
    return {
        name: module
        for name, module in evidence.model.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    }


def scores_of(name: str, evidence: Evidence, granularity: Granularity = ELEMENT):
    return CRITERIA[name]().scores(layers_of(evidence), evidence, granularity)


@pytest.mark.parametrize("name", list(CRITERIA))
@pytest.mark.parametrize("training", [False, True])
def test_scores_have_the_shapes_and_leave_the_model_alone(name, training, evidence):
    model = evidence.model.train(training)
    before, random = deepcopy(model.state_dict()), torch.get_rng_state()
    scores = scores_of(name, evidence)
    layers = layers_of(evidence)
    assert {n: s.shape for n, s in scores.items()} == {n: m.weight.shape for n, m in layers.items()}
    assert list(scores) == list(layers)
    assert not any(score.isnan().any() or score.requires_grad for score in scores.values())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(module.training == training for module in model.modules())
    assert torch.equal(torch.get_rng_state(), random)
    again = scores_of(name, evidence)
    assert all(torch.equal(score, again[n]) for n, score in scores.items())


@pytest.mark.parametrize("name", [name for name in CRITERIA if name != "obd-exact"])  # slow
@pytest.mark.parametrize("text", ["element", "4x1", "1x4", "2:4", "filter"])
def test_every_criterion_goes_with_every_granularity(name, text, evidence):
    granularity, layers = parse_granularity(text), layers_of(evidence)
    scores = CRITERIA[name]().scores(layers, evidence, granularity)
    masks = select(layers, scores, granularity, 0.5, "global", 0.0)
    removed = sum(int((~mask).sum()) for mask in masks.values())
    total = sum(mask.numel() for mask in masks.values())
    expected = {"2:4": (8 * 9 * 0 + 8 * 9 * 4 * 0.5 + 32) / total}.get(text, 0.5)
    assert removed / total == pytest.approx(expected, abs=0.12)


@pytest.mark.parametrize("name", [n for n in CRITERIA if n not in ("random", "obd-full")])
def test_every_criterion_beats_random_where_weights_differ(name, evidence):
    model = evidence.model
    with torch.no_grad():  # half of the weights hardly matter
        for layer in layers_of(evidence).values():
            layer.weight.view(-1)[::2] *= 1e-3

    def loss(criterion: str) -> float:
        layers = layers_of(evidence)
        masks = select(layers, scores_of(criterion, evidence), ELEMENT, 0.45, "global", 0.0)
        pruned = deepcopy(model)
        with torch.no_grad():
            for n, mask in masks.items():
                pruned.get_submodule(n).weight.mul_(mask)  # type: ignore[operator, union-attr]
            return sum(float(cross_entropy(pruned(x), y)) for x, y in evidence.batches())

    assert loss(name) < loss("random")


def test_relative_magnitude_is_in_units_of_the_deviation_of_the_nonzeros(evidence):
    layer = layers_of(evidence)["3"]
    with torch.no_grad():
        layer.weight[0] = 0
    alive = layer.weight.detach()[layer.weight.detach() != 0]
    expected = layer.weight.detach().abs() / alive.std(unbiased=False)
    torch.testing.assert_close(scores_of("magnitude-std", evidence)["3"], expected)


def test_taylor_is_weight_times_gradient(evidence):
    expected = torch.zeros(2, 32)
    weight = evidence.model[6].weight  # type: ignore[index]
    for images, labels in evidence.batches():
        loss = cross_entropy(evidence.model(images), labels)
        gradient = torch.autograd.grad(loss, weight)[0]
        expected += len(labels) / 40 * (weight * gradient).abs().detach()
    torch.testing.assert_close(scores_of("taylor", evidence)["6"], expected)


def test_the_last_layer_is_exact_for_every_diagonal(evidence):
    exact = scores_of("obd-exact", evidence)["6"]
    for name in ("obd", "obd-full"):
        torch.testing.assert_close(scores_of(name, evidence)["6"], exact, rtol=1e-3, atol=1e-7)
    assert (scores_of("obd", evidence)["3"] >= 0).all()


def test_obd_is_blind_to_the_scale_that_a_norm_takes_away(evidence):
    before = {name: scores_of(name, evidence)["0"] for name in ("obd", "magnitude")}
    with torch.no_grad():
        evidence.model[0].weight *= 10  # type: ignore[index, operator]
        evidence.model[1].running_mean *= 10  # type: ignore[index, operator]
        evidence.model[1].running_var *= 100  # type: ignore[index, operator]
    after = scores_of("obd", evidence)["0"]
    torch.testing.assert_close(after, before["obd"], rtol=1e-2, atol=1e-9)
    assert not torch.allclose(scores_of("magnitude", evidence)["0"], before["magnitude"])


def test_layer_criteria_order_as_their_formulas(evidence):
    layers = layers_of(evidence)
    quadratic = dict(CURVATURES["inputs"](layers, evidence))["6"]
    weight, h = quadratic.weight[0], quadratic.curvature[0]
    whole = quadratic.loss(torch.zeros(2, 32))
    torch.testing.assert_close(
        scores_of("layer-obd", evidence)["6"], weight**2 * h.diagonal() / 2 / whole
    )
    torch.testing.assert_close(
        scores_of("layer-obs", evidence)["6"],
        weight**2 / (2 * torch.linalg.inv(h).diagonal()) / whole,
    )
    # What the scale of a layer's outputs is does not matter.
    before = scores_of("layer-obs", evidence)["3"]
    with torch.no_grad():
        layers["3"].weight *= 7
    torch.testing.assert_close(scores_of("layer-obs", evidence)["3"], before, rtol=1e-3, atol=0)
    # The first removal of each row is where the one-step formula is lowest.
    first = scores_of("exact-obs", evidence)["6"].argmin(1)
    assert torch.equal(first, scores_of("layer-obs", evidence)["6"].argmin(1))
