from copy import deepcopy
from itertools import pairwise

import pytest
import torch

from gossamer.compress.contract import Context
from gossamer.compress.prune.gradual import GradualPrune
from gossamer.errors import PassError
from gossamer.train.recipe import Recipe

SHORT = Recipe(epochs=2, batch_size=10, learning_rate=0.05)
ONE_SHOT = Recipe(epochs=0)


def weights(model):
    return {name: p for name, p in model.named_parameters() if p.ndim > 1}


@pytest.mark.parametrize("allocation", ["global", "uniform"])
@pytest.mark.parametrize("ramp", [0.0, 0.5, 1.0])
def test_reaches_the_exact_count(small_parent, small_data, small_example, allocation, ramp):
    options = GradualPrune(0.8, allocation, min_density=0, ramp=ramp, every=3, training=SHORT)
    model = options.apply(deepcopy(small_parent), Context(small_example, small_data))
    sizes = [w.numel() for w in weights(model).values()]
    kept = [int(w.count_nonzero()) for w in weights(model).values()]
    if allocation == "global":
        assert sum(kept) == sum(sizes) - round(0.8 * sum(sizes))
    else:
        assert kept == [size - round(0.8 * size) for size in sizes]
    assert options.got(model)["sparsity"] == pytest.approx(0.8, abs=0.01)


def test_one_shot_keeps_the_largest_and_changes_nothing_else(small_parent, small_example):
    options = GradualPrune(0.5, training=ONE_SHOT)
    model = options.apply(deepcopy(small_parent), Context(small_example))
    before, after = (
        torch.cat([w.flatten() for w in weights(m).values()]) for m in (small_parent, model)
    )
    assert before[after == 0].abs().max() <= before[after != 0].abs().min()
    assert torch.equal(before[after != 0], after[after != 0])
    assert torch.equal(model[1].running_mean, small_parent[1].running_mean)


def test_removed_weights_stay_removed_and_sparsity_follows_the_curve(
    small_parent, small_data, small_example, monkeypatch
):
    from gossamer.compress.prune import gradual

    seen = []
    original = gradual._Pruner.__call__

    def spy(self, step):
        original(self, step)
        seen.append(
            torch.cat([layer.weight.detach().flatten() != 0 for layer in self.layers.values()])
        )

    monkeypatch.setattr(gradual._Pruner, "__call__", spy)
    options = GradualPrune(0.9, ramp=0.5, every=2, training=SHORT)
    options.apply(deepcopy(small_parent), Context(small_example, small_data))
    assert len(seen) == 20
    assert all(not (after & ~before).any() for before, after in pairwise(seen))
    sparsities = [1 - mask.float().mean().item() for mask in seen]
    assert sparsities[0] == 0
    assert sparsities[1] == pytest.approx(0.9 * (1 - 0.8**3), abs=0.005)
    assert sparsities[9] == sparsities[-1] == pytest.approx(0.9, abs=0.005)


def test_starts_from_the_sparsity_it_finds(small_parent, small_data, small_example):
    context = Context(small_example, small_data)
    model = GradualPrune(0.6, training=ONE_SHOT).apply(deepcopy(small_parent), context)
    dead = {name: w == 0 for name, w in weights(model).items()}
    GradualPrune(0.8, every=1, training=SHORT).apply(model, context)
    for name, weight in weights(model).items():
        assert (weight[dead[name]] == 0).all()


def test_only_matched_layers_are_touched(small_parent, small_data, small_example):
    options = GradualPrune(0.7, include=("3", "6"), exclude=("6",), training=ONE_SHOT)
    model = options.apply(deepcopy(small_parent), Context(small_example, small_data))
    assert [bool((w == 0).any()) for w in weights(model).values()] == [False, True, False]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"sparsity": 1.0}, "sparsity out of range"),
        ({"sparsity": -0.1}, "sparsity out of range"),
        ({"sparsity": float("nan")}, "sparsity out of range"),
        ({"min_density": 0.2}, "minimum density"),
        ({"min_density": -0.1}, "minimum density"),
        ({"allocation": "some"}, "unknown allocation"),
        ({"ramp": 1.5}, "ramp or interval"),
        ({"every": 0}, "ramp or interval"),
        ({"include": ("(",)}, "not a regular expression"),
        ({"exclude": (".*",)}, "no layer matches"),
    ],
)
def test_the_impossible_is_refused(small_parent, small_data, small_example, options, problem):
    with pytest.raises(PassError, match=f"gradual-prune: .*{problem}"):
        GradualPrune(**options).check(small_parent, Context(small_example, small_data))


def test_removed_weights_come_back_with_their_values_until_the_end_of_the_ramp(
    small_parent, small_data, small_example, monkeypatch
):
    from gossamer.compress.prune import gradual

    seen, values = [], []
    original = gradual._Pruner.__call__

    def spy(self, step):
        before = {n: layer.weight.detach().clone() for n, layer in self.layers.items()}
        masks, removed = dict(self.masks), dict(self.removed)
        original(self, step)
        seen.append(torch.cat([mask.flatten() for mask in self.masks.values()]))
        for name, layer in self.layers.items():
            back = self.masks[name] & ~masks[name]
            if back.any():
                assert torch.equal(layer.weight[back], removed[name][back])
                assert (layer.weight[back] != 0).all()
                values.append(before[name])

    monkeypatch.setattr(gradual._Pruner, "__call__", spy)
    fast = Recipe(epochs=4, batch_size=10, learning_rate=0.3)
    options = GradualPrune(0.7, ramp=0.5, every=1, regrow=True, min_density=0, training=fast)
    model = options.apply(deepcopy(small_parent), Context(small_example, small_data))
    came_back = [bool((after & ~before).any()) for before, after in pairwise(seen)]
    assert any(came_back[:19])
    assert not any(came_back[19:])
    assert values
    assert options.got(model)["sparsity"] == pytest.approx(0.7, abs=0.005)


def test_what_was_zero_before_does_not_come_back(small_parent, small_data, small_example):
    model = deepcopy(small_parent)
    with torch.no_grad():
        model[3].weight[::2] = 0
    options = GradualPrune(0.7, ramp=1.0, every=2, regrow=True, training=SHORT)
    options.apply(model, Context(small_example, small_data))
    assert not model[3].weight[::2].any()


@pytest.mark.parametrize("criterion", ["obd", "taylor", "layer-obs"])
@pytest.mark.parametrize("granularity", ["element", "4x1", "2:4"])
def test_other_criteria_and_granularities(
    small_parent, small_data, small_example, criterion, granularity
):
    options = GradualPrune(
        0.5, "uniform", 0.0, every=8, criterion=criterion, granularity=granularity, images=40,
        training=SHORT,
    )  # fmt: skip
    model = options.apply(deepcopy(small_parent), Context(small_example, small_data))
    assert options.got(model)["sparsity"] == pytest.approx(0.5, abs=0.1)
    if granularity == "2:4":
        assert int(model[3].weight.count_nonzero(1).max()) <= 2
