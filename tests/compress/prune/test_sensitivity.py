from copy import deepcopy
from itertools import product

import torch
from hypothesis import given
from hypothesis import strategies as st

from gossamer.compress.prune.criterion import Evidence
from gossamer.compress.prune.granularity import parse_granularity
from gossamer.compress.prune.sensitivity import cheapest, sensitivity_sparsities

GRID = (0.0, 0.5, 0.75, 1.0)


@given(
    losses=st.lists(
        st.lists(st.integers(0, 20), min_size=3, max_size=3).map(sorted), min_size=1, max_size=4
    ),
    sizes=st.lists(st.sampled_from([40, 80, 120]), min_size=4, max_size=4),
    sparsity=st.sampled_from([0.25, 0.5, 0.75]),
)
def test_dynamic_programming_finds_the_best_of_all(losses, sizes, sparsity):
    table = [[0, *row] for row in losses]
    sizes = sizes[: len(table)]
    budget = (1 - sparsity) * sum(sizes)

    def kept(choice):
        return sum(size * (1 - GRID[i]) for size, i in zip(sizes, choice, strict=True))

    def loss(choice):
        return sum(row[i] for row, i in zip(table, choice, strict=True))

    choices = [c for c in product(range(4), repeat=len(table)) if kept(c) <= budget + 1e-9]
    found = cheapest(table, sizes, GRID, sparsity)
    assert kept(found) <= budget * (1 + len(table) / 2000)
    assert loss(found) <= min(loss(choice) for choice in choices)


def test_a_layer_with_idle_filters_bears_more(small_parent, small_data):
    model = deepcopy(small_parent)
    with torch.no_grad():
        model[3].weight[4:] *= 1e-4
        model[3].bias[4:] = 0
        model[6].weight *= 10
    layers = {"3": model[3], "6": model[6]}
    before = deepcopy(model.state_dict())
    scores = {name: layer.weight.detach().abs() for name, layer in layers.items()}
    evidence = Evidence(model, small_data.train, images=50)
    found = sensitivity_sparsities(
        layers, scores, evidence, parse_granularity("element"), sparsity=0.4
    )
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    sizes = {name: layer.weight.numel() for name, layer in layers.items()}
    removed = sum(found[name] * sizes[name] for name in layers)
    assert removed >= 0.4 * sum(sizes.values()) * 0.99
    assert found["3"] >= 0.5
    assert found["6"] < 0.4
