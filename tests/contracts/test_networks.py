"""What every registered network owes its users."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from gossamer.nets.create import create_model
from gossamer.nets.registry import NETWORKS

pytestmark = pytest.mark.parametrize("name", list(NETWORKS))


def images(name: str, n: int = 2, channels: int | None = None) -> torch.Tensor:
    c, h, w = NETWORKS[name].input_shape
    generator = torch.Generator().manual_seed(0)
    # Small pictures suffice: every network ends in a global average pool.
    return torch.randn(n, channels or c, min(h, 16), min(w, 16), generator=generator)


def test_record_knows_its_name_and_parameters(name):
    record = NETWORKS[name]
    model = create_model(name)
    assert record.name == name
    assert record.source
    assert sum(p.numel() for p in model.parameters()) == record.params


def test_every_parameter_gets_a_gradient(name):
    model = create_model(name)
    logits = model(images(name))
    assert logits.shape == (2, NETWORKS[name].num_classes)
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1])).backward()
    for label, parameter in model.named_parameters():
        assert parameter.grad is not None, label
        assert torch.isfinite(parameter.grad).all(), label
        assert parameter.grad.abs().sum() > 0, label


def test_weights_survive_a_file(name, tmp_path):
    model, other = create_model(name, seed=1).eval(), create_model(name, seed=2).eval()
    x = images(name)
    assert not torch.equal(model(x), other(x))
    save_file(model.state_dict(), tmp_path / "net.safetensors")
    other.load_state_dict(load_file(tmp_path / "net.safetensors"))
    assert torch.equal(model(x), other(x))


def test_takes_other_classes_and_channels(name):
    model = create_model(name, num_classes=7, in_channels=5).eval()
    assert model(images(name, n=1, channels=5)).shape == (1, 7)


def test_one_image_gives_what_a_batch_gives(name):
    model = create_model(name).eval()
    x = images(name, n=3)
    torch.testing.assert_close(model(x)[1:2], model(x[1:2]), atol=1e-4, rtol=1e-4)


def test_same_seed_same_weights_and_no_trace_in_the_global_generator(name):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    a, b = create_model(name, seed=3), create_model(name, seed=3)
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))
