import torch

from gossamer.compress.prune.criteria.magnitude import magnitude


def test_absolute_value_without_gradient():
    weight = torch.nn.Parameter(torch.tensor([[-2.0, 0.0], [1.0, -0.5]]))
    score = magnitude(weight)
    assert score.tolist() == [[2.0, 0.0], [1.0, 0.5]]
    assert not score.requires_grad
