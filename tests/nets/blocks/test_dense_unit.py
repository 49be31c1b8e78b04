import pytest
import torch

from gossamer.nets.blocks.dense_unit import dense_transition, dense_unit


@pytest.mark.parametrize("bottleneck", [0, 2, 4])
def test_adds_the_growth_and_keeps_the_size(bottleneck):
    unit = dense_unit(6, 5, bottleneck=bottleneck)
    assert unit(torch.zeros(2, 6, 7, 7)).shape == (2, 5, 7, 7)


def test_norm_comes_before_the_convolution():
    assert [n for n, _ in dense_unit(6, 5).named_children()] == ["norm1", "relu1", "conv1"]
    names = [name for name, _ in dense_unit(6, 5, bottleneck=4).named_children()]
    assert names == ["norm1", "relu1", "conv1", "norm2", "relu2", "conv2"]


def test_transition_halves_the_size_by_an_average():
    transition = dense_transition(4, 2).eval()
    x = torch.rand(1, 4, 6, 6, generator=torch.Generator().manual_seed(0))
    y = transition.conv(x) / (1 + 1e-5) ** 0.5
    expected = y.unflatten(2, (3, 2)).unflatten(4, (3, 2)).mean((3, 5))
    torch.testing.assert_close(transition(x), expected)
