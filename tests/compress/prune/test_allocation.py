from math import ceil

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gossamer.compress.prune.allocation import ALLOCATIONS, best, keep_best

# Few different scores, so that ties are the rule.
layers = st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=30), min_size=1, max_size=4)
fractions = st.integers(0, 99).map(lambda percent: percent / 100)


def scores_of(sizes) -> dict[str, torch.Tensor]:
    return {str(i): torch.tensor(values, dtype=torch.float32) for i, values in enumerate(sizes)}


@given(values=st.lists(st.integers(-3, 3), min_size=1, max_size=40), data=st.data())
def test_best_is_exact_and_takes_the_first_of_equals(values, data):
    count = data.draw(st.integers(1, len(values)))
    order = sorted(range(len(values)), key=lambda i: (-values[i], i))[:count]
    mask = best(torch.tensor(values, dtype=torch.float32), count)
    assert mask.nonzero().flatten().tolist() == sorted(order)


@given(sizes=layers, sparsity=fractions)
def test_global_keeps_an_exact_number_of_the_best(sizes, sparsity):
    scores = scores_of(sizes)
    masks = keep_best(scores, sparsity, "global", 0.0)
    total = sum(s.numel() for s in scores.values())
    kept = sum(int(m.sum()) for m in masks.values())
    assert kept == max(len(scores), total - round(sparsity * total))
    # Beyond each layer's own best, no removed score exceeds a kept one.
    beyond = [s[m & ~best(s, 1)] for s, m in zip(scores.values(), masks.values(), strict=True)]
    removed = [s[~m] for s, m in zip(scores.values(), masks.values(), strict=True)]
    beyond, removed = torch.cat(beyond), torch.cat(removed)
    if beyond.numel() and removed.numel():
        assert beyond.min() >= removed.max()


@given(sizes=layers, sparsity=fractions)
def test_uniform_keeps_the_same_fraction_everywhere(sizes, sparsity):
    scores = scores_of(sizes)
    for name, mask in keep_best(scores, sparsity, "uniform", 0.0).items():
        size = scores[name].numel()
        assert int(mask.sum()) == max(1, size - round(sparsity * size))


@pytest.mark.parametrize("allocation", ALLOCATIONS)
@given(sizes=layers, sparsity=fractions, floor=fractions)
def test_no_layer_falls_below_its_guard(allocation, sizes, sparsity, floor):
    scores = scores_of(sizes)
    for name, mask in keep_best(scores, sparsity, allocation, floor).items():
        assert int(mask.sum()) >= max(1, ceil(floor * scores[name].numel()))


def test_masks_have_the_shapes_of_the_scores():
    scores = {"a": torch.rand(2, 3, 1, 1), "b": torch.rand(4, 5)}
    for allocation in ALLOCATIONS:
        masks = keep_best(scores, 0.5, allocation, 0.0)
        assert {n: m.shape for n, m in masks.items()} == {n: s.shape for n, s in scores.items()}


def test_a_layer_of_small_weights_survives_global_ranking():
    scores = {"small": torch.full((100,), 1e-6), "large": torch.arange(1.0, 901)}
    masks = keep_best(scores, 0.9, "global", 0.05)
    assert (int(masks["small"].sum()), int(masks["large"].sum())) == (5, 95)
