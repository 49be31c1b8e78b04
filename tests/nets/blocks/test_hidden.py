import pytest
import torch

from gossamer.nets.blocks.hidden import hidden_layers, linear


def test_weights_have_variance_two_over_fan_in():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layer = linear(200, 300)
    assert layer.weight.var().item() == pytest.approx(2 / 200, rel=0.05)
    assert not layer.bias.any()


def test_dropout_acts_in_training_only():
    head = hidden_layers(6, 50, 3, dropout=1.0)
    x = torch.ones(1, 6)
    assert torch.equal(head(x), head.fc3.bias[None])
    assert not torch.equal(head.eval()(x), head.fc3.bias[None])
