"""What every registered network owes its users.

Small members are tested at a small size; every member is tested at its own size too, slowly.
"""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from gossamer.nets.create import create_model
from gossamer.nets.registry import NETWORKS

SMALL_PARAMS, SMALL_MACS = 2_000_000, 100_000_000
DRAWS = 8  # passes that together reach every parameter where drop-path leaves some out


def small_size(name: str) -> int:
    """Return a size, in pixels, at which no map shrinks to one point if that can be had."""
    record = NETWORKS[name]
    native = record.input_shape[1]
    return native if record.smallest is None else min(native, max(16, 2 * record.smallest))


def is_small(name: str) -> bool:
    record, size = NETWORKS[name], small_size(name)
    macs = (record.macs or 0) * size**2 // record.input_shape[1] ** 2
    return record.params < SMALL_PARAMS and macs < SMALL_MACS


SMALL = [pytest.param(name, small_size(name), id=name) for name in NETWORKS if is_small(name)]
NATIVE = [
    pytest.param(name, NETWORKS[name].input_shape[1], marks=pytest.mark.slow, id=f"{name}-own-size")
    for name in NETWORKS
]
every_network = pytest.mark.parametrize(("name", "size"), [*SMALL, *NATIVE])


def images(name: str, size: int, n: int = 2, channels: int | None = None) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    c = channels or NETWORKS[name].input_shape[0]
    return torch.randn(n, c, size, size, generator=generator)


def settled(name: str, x: torch.Tensor, seed: int = 0) -> nn.Module:
    """Return a network in evaluation mode whose norms have the statistics of `x`.

    Fresh statistics would let the values of a thousand residual units grow beyond all bounds.
    """
    model = create_model(name, seed=seed).to(x.dtype)
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    if norms:
        model(x)
    return model.eval()


@pytest.mark.parametrize("name", list(NETWORKS))
def test_record_knows_its_name_and_parameters(name):
    record = NETWORKS[name]
    with torch.device("meta"):
        model = create_model(name)
    assert record.name == name
    assert record.source
    assert record.input_shape[1] == record.input_shape[2]
    assert sum(p.numel() for p in model.parameters()) == record.params


def has_all_gradients(model: nn.Module) -> bool:
    return all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


@every_network
def test_every_parameter_gets_a_gradient(name, size):
    model, labels = create_model(name), torch.tensor([0, 1])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for _ in range(DRAWS):
            outputs = model(images(name, size))
            outputs = outputs if isinstance(outputs, tuple) else (outputs,)
            for logits in outputs:
                assert logits.shape == (2, NETWORKS[name].num_classes)
            torch.stack([nn.functional.cross_entropy(o, labels) for o in outputs]).sum().backward()
            if has_all_gradients(model):
                break
    for label, parameter in model.named_parameters():
        assert parameter.grad is not None, label
        assert torch.isfinite(parameter.grad).all(), label
        assert parameter.grad.abs().sum() > 0, label


@every_network
@torch.no_grad()
def test_weights_survive_a_file(name, size, tmp_path):
    x = images(name, size)
    model, other = settled(name, x, seed=1), settled(name, x, seed=2)
    assert torch.isfinite(model(x)).all()
    assert not torch.equal(model(x), other(x))
    save_file(model.state_dict(), tmp_path / "net.safetensors")
    other.load_state_dict(load_file(tmp_path / "net.safetensors"))
    assert torch.equal(model(x), other(x))


@every_network
@torch.no_grad()
def test_takes_other_classes_and_channels(name, size):
    model = create_model(name, num_classes=7, in_channels=5).eval()
    assert model(images(name, size, n=1, channels=5)).shape == (1, 7)


@every_network
@torch.no_grad()
def test_one_image_gives_what_a_batch_gives(name, size):
    # A thousand layers enlarge the rounding errors of single precision without bounds.
    x = images(name, size, n=3).double()
    model = settled(name, x)
    whole, single = model(x)[1:2], model(x[1:2])
    assert (whole - single).abs().max() <= 1e-9 * whole.abs().max()


@every_network
def test_same_seed_same_weights_and_no_trace_in_the_global_generator(name, size):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    a, b = create_model(name, seed=3), create_model(name, seed=3)
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))


@pytest.mark.parametrize(
    "name", [n for n in NETWORKS if NETWORKS[n].smallest is not None and is_small(n)]
)
def test_takes_the_smallest_picture_it_promises(name):
    smallest = NETWORKS[name].smallest
    with torch.no_grad():
        logits = create_model(name).eval()(images(name, smallest))
    assert logits.shape == (2, NETWORKS[name].num_classes)
    assert torch.isfinite(logits).all()
