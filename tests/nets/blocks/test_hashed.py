import numpy as np
import pytest
import torch

from gossamer.errors import SpecError
from gossamer.nets.blocks.hashed import HashedLinear, hash_positions


def splitmix64(state: int) -> int:
    """Return the generator's number for one state, in plain integers."""
    mask = 2**64 - 1
    z = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 & mask
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & mask
    return z ^ (z >> 31)


@pytest.mark.parametrize("seed", [0, 1, 12345678901234567890])
def test_hash_is_splitmix64_of_the_position(seed):
    start = seed * 0xD1B54A32D192ED03
    expected = [splitmix64((start + (i + 1) * 0x9E3779B97F4A7C15) % 2**64) for i in range(12)]
    assert hash_positions(3, 4, seed).ravel().tolist() == expected


def test_splitmix64_known_numbers():
    # The first three outputs of the public reference implementation from state 0.
    known = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert hash_positions(1, 3, 0).ravel().tolist() == known


def test_every_bucket_and_both_signs_are_used_evenly():
    layer = HashedLinear(500, 400, buckets=1000, seed=3)
    shares = torch.bincount(layer.index.flatten(), minlength=1000) / layer.index.numel()
    assert shares.min() > 0.5 / 1000
    assert shares.max() < 1.5 / 1000
    assert abs(layer.sign.mean().item()) < 0.01
    by_sign = torch.bincount(layer.index[layer.sign > 0], minlength=1000)
    assert by_sign.min() > 0


def test_is_the_linear_layer_of_its_virtual_matrix():
    layer = HashedLinear(6, 5, buckets=7, seed=1)
    x = torch.randn(3, 6, generator=torch.Generator().manual_seed(0))
    matrix = layer.virtual_matrix()
    torch.testing.assert_close(layer(x), torch.cat([x, torch.ones(3, 1)], 1) @ matrix.T)
    for row, column in np.ndindex(5, 7):
        value = layer.buckets[layer.index[row, column]] * layer.sign[row, column]
        assert matrix[row, column] == value


def test_gradient_of_a_bucket_sums_over_its_positions():
    layer = HashedLinear(6, 5, buckets=4, seed=2)
    x = torch.randn(3, 6, generator=torch.Generator().manual_seed(0))
    y = layer(x)
    delta = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
    (y * delta).sum().backward()
    full = delta.T @ torch.cat([x, torch.ones(3, 1)], 1)
    expected = [(layer.sign * full)[layer.index == bucket].sum() for bucket in range(4)]
    torch.testing.assert_close(layer.buckets.grad, torch.stack(expected))


def test_only_the_buckets_are_stored_and_the_seed_restores_the_rest():
    a = HashedLinear(6, 5, buckets=7, seed=1)
    assert list(a.state_dict()) == ["buckets"]
    b = HashedLinear(6, 5, buckets=7, seed=1)
    b.load_state_dict(a.state_dict())
    assert torch.equal(a.virtual_matrix(), b.virtual_matrix())
    other = HashedLinear(6, 5, buckets=7, seed=2)
    other.load_state_dict(a.state_dict())
    assert not torch.equal(a.virtual_matrix(), other.virtual_matrix())


@pytest.mark.parametrize("buckets", [0, 36, -1])
def test_buckets_must_fit_the_matrix(buckets):
    with pytest.raises(SpecError, match="buckets out of range"):
        HashedLinear(6, 5, buckets=buckets)
