import numpy as np
import pytest
import torch

from gossamer.compress.factor.interleaved import Interleaved
from gossamer.compress.factor.product import product
from gossamer.compress.factor.stage import build_chain
from gossamer.nets.connectivity.composite import links_of, path_counts
from gossamer.nets.connectivity.interleaved import igcv1_weights
from tests.compress.factor.layers import LAYERS, conv, kernel, target_of


def method_of(layer, **options) -> Interleaved:
    """Return the method with correlated inputs."""
    rng = torch.Generator().manual_seed(3)
    size = layer.weight[0].numel()
    mix = torch.randn(size, size, generator=rng, dtype=torch.float64)
    return Interleaved(target_of(layer, (mix @ mix.T / size)[None]), **options)


def loss(method: Interleaved, choice) -> float:
    made = kernel(method.stages(choice), method.weights(choice)).flatten(1)
    weight, moment = method.target.matrix[0], method.moment
    rest = made - weight
    return float((rest @ moment * rest).sum() / (weight @ moment * weight).sum())


CHOICES = [(2, 2, 1), (4, 3, 1), (8, 2, 3), (2, 6, 2), (8, 1, 1)]


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("factors", [2, 3, 4])
def test_every_input_reaches_every_output_by_as_many_paths(choice, factors):
    method = method_of(conv(8, 12, 3, padding=1, stride=2), factors=factors, secondary=choice[1])
    stages = method.stages(choice)
    chain = build_chain(stages, method.weights(choice), None)
    assert len(stages) == factors
    assert set(np.unique(path_counts(links_of(chain)))) == {choice[2]}
    x = torch.zeros(1, 8, 9, 9, dtype=torch.float64)
    assert chain(x).shape == method.target.layer(x).shape


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("factors", [2, 3, 4])
def test_the_product_is_what_the_chain_computes(choice, factors):
    method = method_of(conv(8, 12, 3), factors=factors, secondary=choice[1])
    weights = method.weights(choice)
    torch.testing.assert_close(
        product(method.stages(choice), weights),
        kernel(method.stages(choice), weights).flatten(1),
    )


def test_weights_are_those_of_the_block():
    """The talk's example: 6 channels of 5×5, two groups of three, then three pairs: 450 + 12."""
    method = method_of(conv(6, 6, 5))
    assert sum(s.weights for s in method.stages((2, 3, 1))) == 450 + 12 == igcv1_weights(2, 3, 25)


def test_enough_paths_give_the_kernel_back():
    method = method_of(conv(8, 12, 3))
    assert loss(method, (2, 3, 4)) < 1e-20
    assert loss(method, (8, 2, 6)) < 1e-20


def test_an_interleaved_kernel_is_found_again(rng):
    layer = conv(6, 6, 5)
    method = method_of(layer)
    stages = method.stages((2, 3, 1))
    weights = [torch.randn(s.weight_shape, generator=rng, dtype=torch.float64) for s in stages]
    layer.weight.copy_(product(stages, weights).view_as(layer.weight))
    assert loss(method_of(layer), (2, 3, 1)) < 1e-6


@pytest.mark.parametrize("factors", [3, 4])
def test_more_factors_fit_better_together_than_one_after_the_other(factors):
    method = method_of(conv(8, 8, 3), factors=factors)
    choice = (2, 2, 2)
    projected = product(method.stages(choice), method._projection(choice)) - method.target.matrix[0]
    weight, moment = method.target.matrix[0], method.moment
    before = float((projected @ moment * projected).sum() / (weight @ moment * weight).sum())
    assert loss(method, choice) < before


@pytest.mark.parametrize("factors", [2, 3])
def test_candidates_are_partitions_of_both_kinds(factors):
    method = method_of(conv(6, 4, 3), factors=factors)
    found = method.candidates(1)
    assert {c.choice[0] for c in found} <= {2, 3, 6}
    assert {c.choice[1] for c in found} <= {2, 4}
    assert all(0 <= c.loss <= 1 for c in found)
    assert len(found) == len({c.choice for c in found})
    cheapest = min(found, key=lambda c: sum(s.weights for s in method.stages(c.choice)))
    cost = [sum(s.weights for s in method.stages(c)) for c in (cheapest.choice, method.least(1))]
    assert cost[0] >= cost[1]


def test_dead_taps_stay_dead():
    layer = conv(8, 6, 3)
    layer.weight[:, :, ::2] = 0
    method = method_of(layer)
    for factors in (2, 3):
        method = method_of(layer, factors=factors)
        first = method.weights((2, 2, 2))[0].reshape(-1, 4, 3, 3)
        assert (first[:, :, ::2] == 0).all()
        assert (first[:, :, 1] != 0).any()


@pytest.mark.parametrize(
    ("shape", "why"),
    [("groups", "2 groups already"), ("depthwise", "6 groups already"), ("linear", "for pictures")],
)
def test_what_is_not_dense_is_refused(shape, why):
    assert why in Interleaved(target_of(LAYERS[shape])).reason()


def test_groups_that_do_not_divide_are_refused():
    layer = LAYERS["3x3"]
    assert Interleaved(target_of(layer), primary=2, secondary=4).reason() is None
    assert "do not divide" in Interleaved(target_of(layer), primary=4).reason()
    assert "do not divide" in Interleaved(target_of(conv(1, 8, 3))).reason()
