import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gossamer.errors import ShapeError
from gossamer.nets.blocks.shuffle import ChannelShuffle

sizes = st.integers(1, 6)


@given(groups=sizes, per_group=sizes)
def test_channel_a_b_lands_at_b_g_plus_a(groups, per_group):
    x = torch.arange(groups * per_group).reshape(1, -1, 1, 1)
    y = ChannelShuffle(groups)(x).flatten()
    for a in range(groups):
        for b in range(per_group):
            assert y[b * groups + a] == a * per_group + b


@given(groups=sizes, per_group=sizes)
def test_shuffling_by_the_cofactor_undoes(groups, per_group):
    x = torch.randn(2, groups * per_group, 3, 2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(ChannelShuffle(per_group)(ChannelShuffle(groups)(x)), x)


@given(groups=sizes, per_group=sizes)
def test_channels_last_stays_so_with_the_same_numbers_and_gradients(groups, per_group):
    shape = (2, groups * per_group, 3, 2)
    generator = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(shape, generator=generator) for _ in range(2))
    plain = x.clone().requires_grad_()
    last = x.to(memory_format=torch.channels_last).detach().requires_grad_()
    results = [ChannelShuffle(groups)(leaf) for leaf in (plain, last)]
    for result in results:
        (result * weight).sum().backward()
    assert torch.equal(*results)
    assert torch.equal(plain.grad, last.grad)  # type: ignore[arg-type]
    assert results[1].is_contiguous(memory_format=torch.channels_last)


def test_groups_must_divide_the_channels():
    with pytest.raises(ShapeError, match=r"got 7, expected k·3"):
        ChannelShuffle(3)(torch.zeros(1, 7, 1, 1))


def test_exports_as_views_and_a_transpose():
    exported = torch.export.export(ChannelShuffle(2), (torch.zeros(1, 6, 4, 4),))
    names = {str(node.target) for node in exported.graph.nodes if node.op == "call_function"}
    assert names <= {
        "aten.view.default",
        "aten.transpose.int",
        "aten.reshape.default",
        "aten.clone.default",
    }


def test_exports_a_channels_last_example_as_views_too():
    x = torch.zeros(1, 6, 4, 4).to(memory_format=torch.channels_last)
    exported = torch.export.export(ChannelShuffle(2), (x,))
    targets = [str(node.target) for node in exported.graph.nodes if node.op == "call_function"]
    assert "aten.transpose.int" in targets
    assert not any("shuffle" in name for name in targets)
