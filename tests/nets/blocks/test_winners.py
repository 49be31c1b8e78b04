"""k winners: exactly k, the first of equal ones, and the gradient through them."""

import pytest
import torch
from torch import nn

from gossamer.errors import SpecError
from gossamer.graph.export import export
from gossamer.nets.blocks.winners import COMPETITIONS, KWinners


def picture(seed: int = 0) -> torch.Tensor:
    return torch.randn(2, 6, 4, 5, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("over", "counted"), [("channels", (1,)), ("map", (2, 3)), ("image", (1, 2, 3))]
)
def test_exactly_k_stay(over, counted):
    for x in (picture(), torch.ones(2, 6, 4, 5)):
        y = KWinners(0.3, over)(x)
        size = torch.tensor([x.shape[axis] for axis in counted]).prod().item()
        assert ((y != 0).sum(counted) == -(-3 * size // 10)).all()
        assert torch.equal(y[y != 0], x[y != 0])
        assert x[y == 0].numel() == 0 or bool((y != 0).any())


def test_the_gradient_goes_through_the_winners():
    x = picture().requires_grad_()
    y = KWinners(0.25, "image")(x)
    y.sum().backward()
    assert torch.equal(x.grad, (y != 0).float())


@pytest.mark.parametrize("over", COMPETITIONS)
def test_in_the_graph(over):
    model = nn.Sequential(nn.Conv2d(3, 6, 3), KWinners(0.3, over), nn.Conv2d(6, 2, 3))
    torch.manual_seed(0)
    graph = export(model, torch.randn(2, 3, 9, 9))
    assert [node.op.kind for node in graph.nodes] == ["conv2d", "k_winners", "conv2d"]
    assert graph.input.free == {0, 2, 3}


@pytest.mark.parametrize("options", [(0.0,), (1.1,), (0.5, "batch")])
def test_bad_options_are_refused(options):
    with pytest.raises(SpecError):
        KWinners(*options)
