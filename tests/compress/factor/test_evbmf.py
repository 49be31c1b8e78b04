import numpy as np
import pytest

from gossamer.compress.factor.evbmf import evbmf_rank


def noisy(rank: int, shape: tuple[int, int], strength: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(shape[0], rank)) @ rng.normal(size=(rank, shape[1]))
    return np.linalg.svd(strength * signal + rng.normal(size=shape), compute_uv=False)


@pytest.mark.parametrize("shape", [(30, 80), (80, 30), (40, 40)])
@pytest.mark.parametrize("rank", [1, 3, 7])
@pytest.mark.parametrize("seed", range(3))
def test_a_signal_above_the_noise_is_counted(shape, rank, seed):
    assert evbmf_rank(noisy(rank, shape, 2.0, seed), *shape) == rank


@pytest.mark.parametrize("seed", range(5))
def test_noise_has_no_rank(seed):
    assert evbmf_rank(noisy(0, (40, 100), 0.0, seed), 40, 100) == 0


def test_scale_does_not_matter_and_nothing_is_nothing():
    values = noisy(4, (20, 50), 1.0, 0)
    assert evbmf_rank(values, 20, 50) == evbmf_rank(1e-6 * values, 20, 50) == 4
    assert evbmf_rank(np.zeros(20), 20, 50) == 0
    assert evbmf_rank(np.ones(1), 1, 9) == 0


def test_without_noise_the_rank_is_that_of_the_matrix():
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(20, 3)) @ rng.normal(size=(3, 50))
    assert evbmf_rank(np.linalg.svd(matrix, compute_uv=False), 20, 50) == 3


def test_the_free_energy_is_that_of_the_paper_at_its_minimum():
    """Against the plain form: a loop over the noise, singular value by singular value."""
    values = noisy(5, (24, 60), 0.5, 3)
    short, long = 24, 60
    alpha = short / long
    tau_bound = 2.5129 * np.sqrt(alpha)
    bound = (1 + tau_bound) * (1 + alpha / tau_bound)

    def energy(noise: float) -> float:
        total = short * long * np.log(2 * np.pi * noise) + (values**2).sum() / noise
        for s in values[values > np.sqrt(long * noise * bound)]:
            inner = 1 - (short + long) * noise / s**2
            shrunk = s / 2 * (inner + np.sqrt(inner**2 - 4 * short * long * noise**2 / s**4))
            tau = shrunk * s / (long * noise)
            total += long * np.log(tau + 1) + short * np.log(tau / alpha + 1) - long * tau
        return total

    grid = np.geomspace(0.05, 3, 4000)
    best = grid[np.argmin([energy(noise) for noise in grid])]
    kept = int((values > np.sqrt(long * best * bound)).sum())
    assert evbmf_rank(values, short, long) == kept
