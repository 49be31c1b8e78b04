import pytest
import torch

from gossamer.nets.blocks.highway import Highway


def noise() -> torch.Tensor:
    return torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("bias", "open_"), [(-100.0, False), (100.0, True)])
def test_the_gate_passes_the_input_or_the_transform(bias, open_):
    x, layer = noise(), Highway(3, gate_bias=bias)
    torch.testing.assert_close(layer(x), layer.transform(x).relu() if open_ else x)


def test_formula():
    x, layer = noise(), Highway(3)
    gate = 1 / (1 + torch.exp(-layer.gate(x)))
    expected = torch.clamp(layer.transform(x), min=0) * gate + x * (1 - gate)
    torch.testing.assert_close(layer(x), expected)


def test_two_convolutions_with_biases_the_gates_negative():
    layer = Highway(32)
    assert sum(p.numel() for p in layer.parameters()) == 2 * (32 * 32 * 9 + 32)
    assert (layer.gate.bias == -2).all()
    assert (layer.transform.bias == 0).all()
