from copy import deepcopy

import pytest
import torch

from gossamer.compress.contract import Context
from gossamer.compress.prune.threshold import ThresholdPrune
from gossamer.errors import PassError
from gossamer.train.recipe import Recipe

ONE_SHOT = Recipe(epochs=0)


def test_removes_what_is_small_of_either_sign(small_parent, small_example):
    step = ThresholdPrune(0.8, training=ONE_SHOT)
    model = step.apply(deepcopy(small_parent), Context(small_example))
    for index in (0, 3, 6):
        before, after = small_parent[index].weight.detach(), model[index].weight.detach()
        small = before.abs() < 0.8 * before.std(unbiased=False)
        assert torch.equal(after == 0, small)
        assert torch.equal(after[~small], before[~small])
        assert (after < 0).any()
    assert step.got(model)["sparsity"] > 0.3


def test_the_largest_weight_stays(small_parent, small_example):
    step = ThresholdPrune(100.0, training=ONE_SHOT)
    model = step.apply(deepcopy(small_parent), Context(small_example))
    assert [int(model[i].weight.count_nonzero()) for i in (0, 3, 6)] == [1, 1, 1]


def test_a_layer_of_zeros_stays_one(small_parent, small_example):
    model = deepcopy(small_parent)
    torch.nn.init.zeros_(model[3].weight)
    ThresholdPrune(training=ONE_SHOT).apply(model, Context(small_example))
    assert not model[3].weight.any()


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan"), float("inf")])
def test_the_impossible_is_refused(small_parent, small_data, small_example, factor):
    with pytest.raises(PassError, match="threshold-prune: factor out of range"):
        ThresholdPrune(factor).check(small_parent, Context(small_example, small_data))
