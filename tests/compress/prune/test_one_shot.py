from copy import deepcopy

import pytest
import torch

from gossamer.compress.compress import compress
from gossamer.compress.contract import Context
from gossamer.compress.prune.criterion import Evidence
from gossamer.compress.prune.curvature.inputs import input_quadratics
from gossamer.compress.prune.one_shot import COMPENSATIONS, Prune
from gossamer.compress.prune.sparse_gpt import SparseGPT
from gossamer.compress.recipe import recipe_from_text
from gossamer.errors import PassError
from gossamer.train.recipe import Recipe

TRAINING = Recipe(epochs=2, batch_size=20, learning_rate=0.02)


@pytest.fixture
def context(small_data, small_example) -> Context:
    return Context(small_example, small_data, progress=False)


def weights(model):
    return {name: p.detach() for name, p in model.named_parameters() if p.ndim > 1}


def sparsity(model) -> float:
    zeros = torch.cat([(w == 0).flatten() for w in weights(model).values()])
    return float(zeros.double().mean())


@pytest.mark.parametrize("allocation", ["global", "uniform", "erk", "sensitivity"])
@pytest.mark.parametrize("compensate", COMPENSATIONS)
def test_gets_what_it_is_asked(small_parent, context, allocation, compensate):
    options = Prune(0.6, allocation=allocation, compensate=compensate, min_density=0, images=60)
    model = options.apply(deepcopy(small_parent), context)
    assert sparsity(model) == pytest.approx(0.6, abs=0.02)
    assert options.got(model)["sparsity"] == pytest.approx(sparsity(model))


def test_without_compensation_survivors_do_not_change(small_parent, context):
    model = Prune(0.5, "layer-obs", images=60).apply(deepcopy(small_parent), context)
    for name, weight in weights(model).items():
        before = weights(small_parent)[name]
        assert torch.equal(weight[weight != 0], before[weight != 0])


def test_compensation_brings_the_outputs_of_each_layer_back(small_parent, small_data, context):
    evidence = Evidence(small_parent, small_data.train, images=60)
    layers = {"0": small_parent[0], "3": small_parent[3], "6": small_parent[6]}
    errors = {}
    for criterion, compensate in (
        ("magnitude", "none"), ("magnitude", "inputs"), ("exact-obs", "inputs"),
    ):  # fmt: skip
        step = Prune(0.6, criterion, allocation="uniform", compensate=compensate, images=60)
        pruned = weights(step.apply(deepcopy(small_parent), context))
        errors[criterion, compensate] = sum(
            quadratic.loss(pruned[f"{name}.weight"])
            for name, quadratic in input_quadratics(layers, evidence)
        )
    none, moved, exact = errors.values()
    assert exact < moved < none


def test_exact_obs_in_the_global_allocation_minimises_the_sum(small_parent, small_data, context):
    # Uniform masks cost at least as much error, as a share, as those ranked over all layers.
    evidence = Evidence(small_parent, small_data.train, images=60)
    layers = {"0": small_parent[0], "3": small_parent[3], "6": small_parent[6]}
    errors = []
    for allocation in ("global", "uniform"):
        step = Prune(0.6, "exact-obs", allocation=allocation, compensate="inputs", images=60)
        pruned = weights(step.apply(deepcopy(small_parent), context))
        quadratics = input_quadratics(layers, evidence)
        errors.append(
            sum(
                q.loss(pruned[f"{name}.weight"]) / q.loss(torch.zeros(q.shape))
                for name, q in quadratics
            )
        )
    assert errors[0] < errors[1]


def test_fitting_outputs_takes_in_what_the_layers_before_have_lost(small_parent, context):
    images, _ = context.data.train.batch(torch.arange(60).numpy())
    dense, errors = small_parent(images).detach(), {}
    for compensate in COMPENSATIONS[:3]:
        step = Prune(0.6, allocation="uniform", compensate=compensate, images=100)
        model = step.apply(deepcopy(small_parent), context)
        errors[compensate] = (model(images) - dense).square().mean().item()
    assert errors["outputs"] < errors["inputs"] < errors["none"]


def test_fitting_outputs_of_a_dense_network_changes_nothing(small_parent, context):
    model = Prune(0.0, compensate="outputs", min_density=0).apply(deepcopy(small_parent), context)
    for name, weight in weights(model).items():
        torch.testing.assert_close(weight, weights(small_parent)[name], rtol=1e-4, atol=1e-5)


def test_trains_on_with_zeros_held(small_parent, context):
    before = Prune(0.7).apply(deepcopy(small_parent), context)
    after = Prune(0.7, training=TRAINING).apply(deepcopy(small_parent), context)
    for name, weight in weights(after).items():
        assert torch.equal(weight == 0, weights(before)[name] == 0)
        assert not torch.equal(weight, weights(before)[name])


def test_passes_follow_each_other_and_zeros_add_up(small_parent, small_data, small_example):
    recipe = recipe_from_text(
        """
        passes:
          - {pass: prune, sparsity: 0.5, granularity: "2:4", exclude: ["0"]}
          - {pass: sparse-gpt, sparsity: 0.7, allocation: global, images: 60}
          - {pass: share-weights, bits: 3, training: {epochs: 0}}
        """
    )
    result = compress(small_parent, small_example, recipe, data=small_data, progress=False)
    first, second, third = result.ledger.entries
    assert first.asked["granularity"] == "2:4"
    assert first.got["sparsity"] == pytest.approx(0.5)
    assert second.got["sparsity"] == pytest.approx(0.7, abs=0.02)
    assert third.after.nonzeros == second.after.nonzeros


@pytest.mark.parametrize("options", [
    {}, {"allocation": "global"}, {"allocation": "erk"}, {"granularity": "4x1"},
    {"granularity": "2:4"}, {"columns": 5},
], ids=str)  # fmt: skip
def test_sparse_gpt_gets_what_it_is_asked(small_parent, context, options):
    step = SparseGPT(0.5, min_density=0, images=60, **options)
    model = step.apply(deepcopy(small_parent), context)
    wanted = (288 / 2 + 64 / 2) / 424 if "2:4" in options.values() else 0.5
    # "2:4" finds 1 and 4 input channels: the first layer has no room.
    if "2:4" in options.values():
        groups = model[3].weight.detach().count_nonzero(1)
        assert int(groups.max()) <= 2
        assert bool((model[0].weight != 0).all())
    assert sparsity(model) == pytest.approx(wanted, abs=0.03)
    evidence = Evidence(small_parent, context.data.train, images=60)  # type: ignore[union-attr]
    layers = {"3": small_parent[3]}
    for _, quadratic in input_quadratics(layers, evidence):
        mask = model[3].weight.detach() != 0
        assert quadratic.loss(model[3].weight.detach()) <= quadratic.loss(
            small_parent[3].weight.detach() * mask
        )


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"sparsity": 1.0}, "sparsity out of range"),
        ({"min_density": 0.9}, "minimum density"),
        ({"criterion": "best"}, "unknown criterion"),
        ({"granularity": "huge"}, "unknown granularity"),
        ({"granularity": "1:4"}, "granularity 1:4 has a sparsity of its own .*sparsity 0.75"),
        ({"allocation": "some"}, "unknown allocation"),
        ({"compensate": "all"}, "unknown compensation"),
        ({"images": 0}, "images out of range"),
        ({"include": ("x",)}, "no layer matches"),
    ],
)
def test_the_impossible_is_refused(small_parent, context, options, problem):
    with pytest.raises(PassError, match=f"prune: .*{problem}"):
        Prune(**options).check(small_parent, context)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"sparsity": -0.1}, "sparsity out of range"),
        ({"granularity": "1x4"}, "no blocks of several columns"),
        ({"granularity": "filter"}, "no blocks of several columns"),
        ({"damping": 0.0}, "out of range"),
        ({"columns": 0}, "out of range"),
    ],
)
def test_the_impossible_is_refused_by_the_sweep(small_parent, context, options, problem):
    with pytest.raises(PassError, match=f"sparse-gpt: .*{problem}"):
        SparseGPT(**options).check(small_parent, context)


@pytest.mark.parametrize(
    "step",
    [Prune(criterion="obd"), Prune(compensate="inputs"), Prune(allocation="sensitivity"),
     SparseGPT()],
    ids=lambda step: str(step)[:60],
)  # fmt: skip
def test_what_measures_needs_data(small_parent, small_example, step):
    with pytest.raises(PassError, match="needs data"):
        step.check(small_parent, Context(small_example))
