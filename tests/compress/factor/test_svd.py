"""Closed forms of low-rank pairs."""

import pytest
import torch
from torch import nn

from gossamer.compress.factor.svd import SVD, even
from gossamer.compress.factor.weighted_svd import WeightedSVD
from tests.compress.factor.layers import LAYERS, kernel, linear, target_of


def product(method, rank: int) -> torch.Tensor:
    return kernel(method.stages((rank,)), method.weights((rank,)))


def correlated(size: int, rng: torch.Generator) -> torch.Tensor:
    mix = torch.randn(size, size, generator=rng, dtype=torch.float64)
    return mix @ mix.T / size


@pytest.mark.parametrize("rank", [1, 3, 6])
def test_the_error_is_the_energy_behind_the_rank(rank):
    """Eckart & Young: no matrix of that rank is nearer."""
    layer = linear(12, 9)
    values = torch.linalg.svdvals(layer.weight)
    error = (product(SVD(target_of(layer)), rank) - layer.weight).square().sum()
    torch.testing.assert_close(error, values[rank:].square().sum())


def test_no_other_pair_of_that_rank_is_nearer(rng):
    layer = linear(12, 9)
    best = (product(SVD(target_of(layer)), 2) - layer.weight).square().sum()
    for _ in range(20):
        first = torch.randn(2, 12, generator=rng, dtype=torch.float64)
        last = torch.linalg.lstsq(first.T, layer.weight.T).solution.T
        assert best <= (last @ first - layer.weight).square().sum()


def test_a_pair_saves_below_the_break_even_rank():
    for shape, even_rank in (((4096, 4096), 2047), ((1000, 4096), 803)):
        target = target_of(nn.Linear(shape[1], shape[0], device="meta"))
        weights = [sum(s.weights for s in SVD(target).stages((r,))) for r in
                   (even_rank, even_rank + 1)]  # fmt: skip
        assert weights[0] < shape[0] * shape[1] <= weights[1]


def test_energy_names_the_smallest_rank_that_keeps_it():
    method = SVD(target_of(linear(12, 9)))
    energies = torch.linalg.svdvals(method.target.matrix[0]).square()
    shares = energies.cumsum(0) / energies.sum()
    for energy in (0.5, 0.9, 0.99):
        smallest = int((shares < energy).sum()) + 1
        enough = [c.choice[0] for c in method.candidates(1) if c.loss <= 1 - energy]
        assert min(enough) == smallest


@pytest.mark.parametrize("rank", [1, 2, 5])
def test_weighted_by_inputs_the_error_is_that_of_the_outputs(rank, rng):
    """E‖(W − Ŵ) x‖² = Σ σ_i(W S)² behind the rank, and no more than plain SVD's."""
    layer, moment = linear(12, 9), correlated(12, rng)
    root = torch.linalg.cholesky(moment)
    values = torch.linalg.svdvals(layer.weight @ root)
    weighted, plain = WeightedSVD(target_of(layer, moment[None])), SVD(target_of(layer))
    errors = [((product(m, rank) - layer.weight) @ root).square().sum() for m in (weighted, plain)]
    torch.testing.assert_close(errors[0], values[rank:].square().sum())
    assert errors[0] < errors[1]
    textbook = torch.linalg.svd(layer.weight @ root)
    truncated = textbook.U[:, :rank] * textbook.S[:rank] @ textbook.Vh[:rank]
    torch.testing.assert_close(product(weighted, rank), truncated @ torch.linalg.inv(root))


def test_white_inputs_weigh_nothing():
    layer = LAYERS["groups"]
    moment = torch.eye(36, dtype=torch.float64).expand(2, -1, -1)
    for rank in (1, 4):
        found = [product(m, rank) for m in
                 (WeightedSVD(target_of(layer, moment)), SVD(target_of(layer)))]  # fmt: skip
        torch.testing.assert_close(*found)


def test_inputs_that_never_come_may_be_singular(rng):
    moment = correlated(12, rng)
    moment[3], moment[:, 3] = 0, 0
    method = WeightedSVD(target_of(linear(12, 9), moment[None]))
    assert torch.isfinite(product(method, 4)).all()
    assert method.candidates(1)[0].loss == 0


def test_factors_have_equal_norms_inside(rng):
    first, last = (torch.randn(*s, generator=rng) for s in ((3, 5), (4, 3)))
    one, two = even(first, last)
    torch.testing.assert_close(two @ one, last @ first)
    torch.testing.assert_close(one.norm(dim=1), two.norm(dim=0))
    assert torch.equal(even(first * 0, last)[0], first * 0)
