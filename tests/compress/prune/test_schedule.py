import pytest

from gossamer.compress.prune.schedule import cubic_sparsity


def test_known_vector():
    expected = [0, 0.2439, 0.4392, 0.5913, 0.7056, 0.7875, 0.8424, 0.8757, 0.8928, 0.8991, 0.9]
    assert [cubic_sparsity(0, 0.9, t / 10) for t in range(11)] == pytest.approx(expected)


def test_stays_at_its_ends():
    assert cubic_sparsity(0.3, 0.8, -1) == pytest.approx(0.3)
    assert cubic_sparsity(0.3, 0.8, 2) == 0.8
