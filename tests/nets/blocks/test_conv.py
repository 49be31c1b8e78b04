import pytest
import torch

from gossamer.nets.blocks.conv import conv2d, conv_norm_act


@pytest.mark.parametrize(("kernel", "stride", "size"), [(3, 1, 7), (3, 2, 4), (1, 1, 7), (1, 2, 4)])
def test_padding_keeps_the_size_up_to_the_stride(kernel, stride, size):
    y = conv_norm_act(2, 4, kernel, stride=stride)(torch.zeros(1, 2, 7, 7))
    assert y.shape == (1, 4, size, size)


def variance_times_fan_in(layer: torch.nn.Conv2d) -> float:
    return layer.weight.var().item() * layer.weight[0].numel()


def test_weights_have_variance_two_over_fan_in_or_one_where_no_rectifier_follows():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        assert variance_times_fan_in(conv2d(64, 64, groups=2)) == pytest.approx(2, rel=0.05)
        assert variance_times_fan_in(conv_norm_act(64, 64).conv) == pytest.approx(2, rel=0.05)
        linear = conv_norm_act(64, 64, act=None)
        assert variance_times_fan_in(linear.conv) == pytest.approx(1, rel=0.05)
        assert not hasattr(linear, "act")
