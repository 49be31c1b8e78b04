import pytest
import torch

from gossamer.nets.blocks.conv import conv2d, conv_norm_act


@pytest.mark.parametrize(("kernel", "stride", "size"), [(3, 1, 7), (3, 2, 4), (1, 1, 7), (1, 2, 4)])
def test_padding_keeps_the_size_up_to_the_stride(kernel, stride, size):
    y = conv_norm_act(2, 4, kernel, stride=stride)(torch.zeros(1, 2, 7, 7))
    assert y.shape == (1, 4, size, size)


def test_weights_have_variance_two_over_fan_in():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        weight = conv2d(64, 64, groups=2).weight
    assert weight.var().item() == pytest.approx(2 / (32 * 9), rel=0.05)
