import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gossamer.errors import SpecError
from gossamer.nets.blocks.expander import ExpanderConv2d, expander_mask


@given(
    inputs=st.integers(1, 24), outputs=st.integers(1, 24), x=st.integers(1, 8), seed=st.integers(0)
)
def test_the_side_with_fewer_choices_has_equal_degrees(inputs, outputs, x, seed):
    x, seed = min(x, max(inputs, outputs)), seed % 2**31
    mask = expander_mask(inputs, outputs, x, seed)
    assert mask.shape == (outputs, inputs)
    assert set(mask.unique().tolist()) <= {0, 1}
    degrees = mask.sum(1) if inputs > outputs else mask.sum(0)
    assert (degrees == max(inputs, outputs) // x).all()
    assert int(mask.sum()) == ExpanderConv2d.connections_of(inputs, outputs, x)
    assert torch.equal(mask, expander_mask(inputs, outputs, x, seed))


def test_the_seed_matters():
    assert not torch.equal(expander_mask(32, 16, 4, 0), expander_mask(32, 16, 4, 1))


def test_few_layers_reach_every_channel():
    masks = [expander_mask(128, 128, 8, seed) for seed in range(3)]
    assert all(mask.mean() == 1 / 8 for mask in masks)
    assert (masks[0] == 0).any()
    assert (masks[2] @ masks[1] @ masks[0] > 0).all()


def test_only_connected_weights_matter_and_learn():
    conv = ExpanderConv2d(6, 4, 3, sparsify=3, seed=0)
    x = torch.randn(2, 6, 5, 5, generator=torch.Generator().manual_seed(0))
    y = conv(x)
    torch.testing.assert_close(y, torch.conv2d(x, conv.weight * conv.mask, padding=1))
    y.square().sum().backward()
    assert torch.equal(conv.weight.grad != 0, conv.mask.bool().expand_as(conv.weight))
    assert int((conv.weight.grad != 0).sum()) == 9 * conv.connections


def test_weights_are_scaled_to_the_real_fan_in():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        conv = ExpanderConv2d(128, 64, 3, sparsify=4)
    assert conv.weight.var().item() == pytest.approx(2 / (32 * 9), rel=0.05)


def test_without_a_seed_the_graph_follows_the_global_generator():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        a, b = ExpanderConv2d(16, 16), ExpanderConv2d(16, 16)
        torch.manual_seed(3)
        again = ExpanderConv2d(16, 16)
    assert torch.equal(a.mask, again.mask)
    assert not torch.equal(a.mask, b.mask)


@pytest.mark.parametrize("x", [0, -1, 9])
def test_sparsity_must_leave_a_connection(x):
    with pytest.raises(SpecError, match="out of range"):
        expander_mask(8, 4, x, 0)
