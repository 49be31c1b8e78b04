import torch
from torch import nn

from gossamer.compress.cluster.tie import Tie, codes_of


def test_codes_number_the_values_in_order():
    weight = torch.tensor([[0.5, 0.0, -1.0], [-0.0, 0.5, 2.0]])
    assert codes_of(weight).tolist() == [2, 0, 1, 0, 2, 3]
    assert codes_of(torch.zeros(2, 2)).tolist() == [0, 0, 0, 0]


def test_a_member_that_was_removed_counts_no_longer():
    weight = nn.Parameter(torch.tensor([[0.5, 0.5, 0.5, -1.0, -1.0]]))
    tie = Tie(weight, codes_of(weight))
    with torch.no_grad():
        weight[0, 2] = 0
        weight[0, 4] = 0
    gradient = torch.tensor([[1.0, 2.0, 4.0, 8.0, 16.0]])
    assert tie.sum_gradient(gradient).tolist() == [[3, 3, 0, 8, 0]]
    with torch.no_grad():
        weight[0, :2] += 0.25
        weight[0, 3] += 0.125
    tie.restore()
    assert weight.tolist() == [[0.75, 0.75, 0.0, -0.875, 0.0]]


def test_a_cluster_that_was_removed_stays_away():
    weight = nn.Parameter(torch.tensor([[0.5, 0.5, -1.0]]))
    tie = Tie(weight, codes_of(weight))
    with torch.no_grad():
        weight[0, :2] = 0
    tie.restore()
    assert weight.tolist() == [[0.0, 0.0, -1.0]]


def test_members_of_either_sign():
    weight = nn.Parameter(torch.tensor([[0.5, -0.5, 2.0]]))
    tie = Tie(weight, torch.tensor([1, -1, 2]))
    gradient = torch.tensor([[3.0, 1.0, 5.0]])
    assert tie.sum_gradient(gradient).tolist() == [[2, -2, 5]]
    with torch.no_grad():
        weight[0, :2] = torch.tensor([0.75, -0.625])
    tie.restore()
    assert weight.tolist() == [[0.625, -0.625, 2.0]]
