import pytest
import torch

from gossamer.compress.factor.separable import Separable
from tests.compress.factor.layers import LAYERS, conv, kernel, target_of


def test_full_rank_is_exact_and_the_rank_is_that_of_the_shorter_side():
    """Jaderberg et al.: R = min(C·d, d·N) loses nothing."""
    layer = conv(3, 8, 3)
    method = Separable(target_of(layer))
    assert method.full == (9,)
    torch.testing.assert_close(kernel(method.stages((9,)), method.weights((9,))), layer.weight)


@pytest.mark.parametrize("rank", [1, 4])
def test_the_error_is_the_energy_behind_the_rank(rank):
    layer = conv(3, 8, (3, 5))
    matrix = layer.weight.permute(1, 2, 3, 0).reshape(9, 40)
    method = Separable(target_of(layer))
    made = kernel(method.stages((rank,)), method.weights((rank,)))
    lost = torch.linalg.svdvals(matrix)[rank:].square().sum()
    torch.testing.assert_close((made - layer.weight).square().sum(), lost)


def test_a_pair_saves_below_the_break_even_rank():
    layer = conv(6, 8, 3)  # d·C·N / (C + N) = 10.3
    weights = [sum(s.weights for s in Separable(target_of(layer)).stages((r,))) for r in (10, 11)]
    assert weights[0] < layer.weight.numel() < weights[1]


def test_the_gradient_of_an_image_is_separable():
    layer = conv(1, 1, 3)
    layer.weight[0, 0] = torch.outer(torch.tensor([1.0, 2, 1]), torch.tensor([1.0, 0, -1]))
    method = Separable(target_of(layer))
    made = kernel(method.stages((1,)), method.weights((1,)))
    torch.testing.assert_close(made, layer.weight)
    assert method.loss((1,)) == pytest.approx(0, abs=1e-15)


def test_depthwise_kernels_become_a_column_and_a_row():
    method = Separable(target_of(LAYERS["depthwise"]))
    down, across = method.stages((1,))
    assert (down.groups, down.kernel, across.groups, across.kernel) == (6, (3, 1), 6, (1, 3))


@pytest.mark.parametrize("name", ["row", "point", "linear"])
def test_what_has_one_axis_is_refused(name):
    assert "nothing to separate" in Separable(target_of(LAYERS[name])).reason()
