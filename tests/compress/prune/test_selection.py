import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from gossamer.compress.prune.granularity import parse_granularity
from gossamer.compress.prune.selection import keep_in_groups, select, unit_means

TEXTS = ["element", "4x1", "1x4", "3x2", "filter"]


def layers_of(seed: int) -> dict[str, nn.Conv2d | nn.Linear]:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return {
            "a": nn.Conv2d(3, 8, 3),
            "b": nn.Conv2d(8, 12, 3, groups=2),
            "c": nn.Linear(12, 10),
        }


def magnitudes(layers) -> dict[str, torch.Tensor]:
    return {name: layer.weight.detach().abs() for name, layer in layers.items()}


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("allocation", ["global", "uniform", "erk"])
@settings(max_examples=15)
@given(seed=st.integers(0, 50), percent=st.integers(0, 95))
def test_units_live_and_die_together_and_no_more_is_removed_than_asked(
    text, allocation, seed, percent
):
    layers, granularity = layers_of(seed), parse_granularity(text)
    masks = select(layers, magnitudes(layers), granularity, percent / 100, allocation, 0.0)
    total = sum(mask.numel() for mask in masks.values())
    removed = sum(int((~mask).sum()) for mask in masks.values())
    assert removed <= percent / 100 * total + len(masks)
    largest = 0
    for name, mask in masks.items():
        labels = granularity.labels(mask.shape, getattr(layers[name], "groups", 1))
        kept = unit_means(mask.double(), labels)
        assert ((kept == 0) | (kept == 1)).all()
        assert mask.any()
        largest = max(largest, int(labels.flatten().bincount().max()))
    if allocation == "global" and percent <= 80:  # above, the layers' last units stand in the way
        assert removed > percent / 100 * total - largest - 1


@given(seed=st.integers(0, 50))
def test_global_removes_the_lowest_means(seed):
    layers, granularity = layers_of(seed), parse_granularity("1x3")
    scores = magnitudes(layers)
    masks = select(layers, scores, granularity, 0.5, "global", 0.0)
    kept, gone = [], []
    for name, mask in masks.items():
        labels = granularity.labels(mask.shape, getattr(layers[name], "groups", 1))
        means, alive = unit_means(scores[name], labels), unit_means(mask.float(), labels) == 1
        kept.append(means[alive])
        gone.append(means[~alive])
    assert torch.cat(gone).max() <= torch.cat(kept).min()


@pytest.mark.parametrize("text", ["1:4", "2:4", "3:5"])
def test_n_of_m_keeps_the_best_of_each_group(text):
    layers, granularity = layers_of(0), parse_granularity(text)
    scores = magnitudes(layers)
    masks = select(layers, scores, granularity, 0.0, "global", 0.0)
    for name, layer in layers.items():
        labels = granularity.labels(layer.weight.shape, getattr(layer, "groups", 1))
        for label in labels.unique():
            own, kept = scores[name][labels == label], masks[name][labels == label]
            assert int(kept.sum()) == min(granularity.keep, len(own))
            assert set(own[kept].tolist()) == set(sorted(own.tolist())[-int(kept.sum()) :])


def test_equals_in_a_group_are_settled_by_place():
    layer = nn.Linear(4, 1)
    mask = keep_in_groups(torch.ones(1, 4), layer, parse_granularity("2:4"))
    assert mask.tolist() == [[True, True, False, False]]


@pytest.mark.parametrize("text", [*TEXTS, "2:4"])
def test_what_is_zero_already_goes_first_and_stays_zero(text):
    layers = layers_of(1)
    with torch.no_grad():
        layers["b"].weight[::2] = 0
    granularity = parse_granularity(text)
    # Even the highest score does not bring a zero back, and a negative one does not save it.
    scores = {n: torch.where(s == 0, 1e9, -s) for n, s in magnitudes(layers).items()}
    masks = select(layers, scores, granularity, 0.4, "global", 0.0)
    assert not masks["b"][::2].any()
    if text == "element":
        total = sum(mask.numel() for mask in masks.values())
        assert sum(int((~m).sum()) for m in masks.values()) == round(0.4 * total)


def test_each_layer_keeps_its_share_of_units_but_whole_layers_may_go():
    layers = layers_of(2)
    with torch.no_grad():
        layers["a"].weight.mul_(1e-6)
    masks = select(layers, magnitudes(layers), parse_granularity("filter"), 0.5, "global", 0.25)
    assert int(masks["a"].flatten(1).any(1).sum()) == 2
    masks = select(layers, magnitudes(layers), parse_granularity("layer"), 0.5, "global", 0.25)
    assert not masks["a"].any()
    assert masks["b"].all()


def test_a_sparsity_for_each_layer():
    layers = layers_of(3)
    wanted = {"a": 0.0, "b": 0.5, "c": 0.9}
    masks = select(layers, magnitudes(layers), parse_granularity("element"), wanted, "global", 0.0)
    assert {n: int((~m).sum()) for n, m in masks.items()} == {"a": 0, "b": 216, "c": 108}
