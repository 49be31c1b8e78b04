import pytest
import torch

from gossamer.compress.factor.fit_blocks import block_energies, fit_blocks


def whole(blocks) -> torch.Tensor:
    """Return the product as matrices (B, n, F)."""
    products = blocks.last @ blocks.first  # (B, g, m, n/m, F/g)
    return products.permute(0, 2, 3, 1, 4).flatten(3).flatten(1, 2)


def moment_of(size: int, rng: torch.Generator) -> torch.Tensor:
    mix = torch.randn(size, size, generator=rng, dtype=torch.float64)
    return (mix @ mix.T / size + 0.1 * torch.eye(size, dtype=torch.float64))[None]


@pytest.fixture
def weight(rng) -> torch.Tensor:
    return torch.randn(1, 12, 18, generator=rng, dtype=torch.float64)


def test_without_correlation_each_block_is_its_own_svd(weight):
    """The projection on products of two block-diagonal matrices and a permutation (Monarch)."""
    made = fit_blocks(weight, torch.eye(18, dtype=torch.float64)[None], 3, 4, 1)
    expected = torch.zeros(12, 18, dtype=torch.float64)
    lost = 0.0
    for m in range(4):
        for g in range(3):
            block = weight[0, 3 * m : 3 * m + 3, 6 * g : 6 * g + 6]
            u, s, v = torch.linalg.svd(block, full_matrices=False)
            expected[3 * m : 3 * m + 3, 6 * g : 6 * g + 6] = s[0] * torch.outer(u[:, 0], v[0])
            lost += float(s[1:].square().sum())
    torch.testing.assert_close(whole(made)[0], expected)
    assert made.loss == pytest.approx(lost / float(weight.square().sum()))


@pytest.mark.parametrize(("parts", "rows", "rank"), [(3, 4, 1), (2, 3, 2), (1, 1, 5), (18, 1, 1)])
def test_the_loss_is_that_of_the_outputs_and_no_block_can_do_better(weight, rng, parts, rows, rank):
    moment = moment_of(18, rng)
    made = fit_blocks(weight, moment, parts, rows, rank)

    def loss(matrix):
        rest = matrix - weight
        return float((rest @ moment * rest).sum() / (weight @ moment * weight).sum())

    assert loss(whole(made)) == pytest.approx(made.loss)
    for factor in (made.first, made.last):
        for _ in range(20):
            kept = factor.clone()
            factor += 1e-2 * torch.randn(factor.shape, generator=rng, dtype=torch.float64)
            assert loss(whole(made)) > made.loss - 1e-5
            factor.copy_(kept)


def test_one_group_is_the_weighted_svd(weight, rng):
    moment = moment_of(18, rng)
    values = torch.linalg.svdvals(weight[0] @ torch.linalg.cholesky(moment[0])).square()
    made = fit_blocks(weight, moment, 1, 1, 4)
    assert made.loss == pytest.approx(float(values[4:].sum() / values.sum()))


def test_correlated_inputs_make_turns_worth_it(weight, rng):
    moment = moment_of(18, rng)
    plain = whole(fit_blocks(weight, torch.eye(18, dtype=torch.float64)[None], 3, 4, 1)) - weight
    projected = float((plain @ moment * plain).sum() / (weight @ moment * weight).sum())
    assert fit_blocks(weight, moment, 3, 4, 1).loss < projected


def test_a_product_is_found_again(rng):
    first = torch.randn(1, 3, 4, 1, 6, generator=rng, dtype=torch.float64)
    last = torch.randn(1, 3, 4, 3, 1, generator=rng, dtype=torch.float64)
    weight = (last @ first).permute(0, 2, 3, 1, 4).flatten(3).flatten(1, 2)
    assert fit_blocks(weight, moment_of(18, rng), 3, 4, 1).loss < 1e-6


def test_many_matrices_are_as_many_fits(rng):
    weights = torch.randn(3, 8, 6, generator=rng, dtype=torch.float64)
    moments = torch.eye(6, dtype=torch.float64).expand(3, -1, -1)  # one sweep, no stopping rule
    together = whole(fit_blocks(weights, moments, 2, 2, 1))
    for i in range(3):
        alone = whole(fit_blocks(weights[i : i + 1], moments[i : i + 1], 2, 2, 1))
        torch.testing.assert_close(together[i : i + 1], alone)


def test_energies_are_those_of_the_blocks_outputs(weight, rng):
    moment = moment_of(18, rng)[0]
    energies = block_energies(weight[0], moment, 3, 2)
    assert energies.shape == (3, 2, 6)
    block, own = weight[0, 6:, :6], moment[:6, :6]
    expected = torch.linalg.svdvals(block @ torch.linalg.cholesky(own)).square()
    torch.testing.assert_close(energies[0, 1], expected)
