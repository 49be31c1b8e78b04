import pytest
import torch
from torch import nn

from gossamer.compress.prune.criterion import Evidence
from gossamer.compress.prune.curvature.fisher import fisher_quadratics, inverse_from_gradients


def test_the_recursion_is_the_inverse():
    g = torch.randn(20, 6, generator=torch.Generator().manual_seed(0)).double()
    expected = torch.linalg.inv(1e-2 * torch.eye(6).double() + g.T @ g / 20)
    torch.testing.assert_close(inverse_from_gradients(g, 1e-2), expected)


def test_blocks_are_those_of_the_mean_outer_product_of_single_gradients(small_parent, small_data):
    evidence = Evidence(small_parent, small_data.train, images=12)
    layer = small_parent[6]
    images, labels = next(evidence.batches(12))
    gradients = []
    for x, y in zip(images, labels, strict=True):
        loss = nn.functional.cross_entropy(small_parent(x[None]), y[None])
        gradients.append(torch.autograd.grad(loss, layer.weight)[0].flatten())
    fisher = (torch.stack(gradients).T @ torch.stack(gradients)).double() / 12
    ((name, quadratic),) = fisher_quadratics({"6": layer}, evidence, damping=0, block=48)
    assert name == "6"
    assert quadratic.curvature.shape == (2, 48, 48)
    rebuilt = quadratic.curvature[0] - torch.diag((fisher[:48, :48].diagonal() == 0).double())
    torch.testing.assert_close(rebuilt, fisher[:48, :48], atol=1e-9, rtol=1e-4)
    # What fills up the last block touches nothing.
    assert torch.equal(quadratic.curvature[1, 16:, 16:], torch.eye(32).double())
    assert quadratic.loss(layer.weight.detach()) == pytest.approx(0, abs=1e-12)
