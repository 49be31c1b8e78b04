import numpy as np
import pytest
import torch
from torch import nn

from gossamer.compress.channels.cut import Cut, apply_cut, mask
from gossamer.compress.channels.verify import check_cut
from gossamer.errors import VerificationError

X = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
RIGHT = {("0.weight", 0): [0, 2], ("0.bias", 0): [0, 2], ("2.weight", 1): [0, 2]}


@pytest.fixture
def model() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 3, 1), nn.Sigmoid(), nn.Conv2d(3, 2, 1))


def cut(kept):
    numbers = {"0": {"out_channels": 2}, "2": {"in_channels": 2}}
    return Cut({key: np.array(places) for key, places in kept.items()}, attributes=numbers)


def test_a_right_cut_passes_also_where_zero_does_not_stay_zero(model):
    check_cut(model, cut(RIGHT), [X])
    assert model[0].weight.shape[0] == 3
    made = apply_cut(model, cut(RIGHT))
    assert made[0].out_channels == made[2].in_channels == 2


def test_a_wrong_place_is_found(model):
    with pytest.raises(VerificationError, match="removed and masked channels differ"):
        check_cut(model, cut({**RIGHT, ("2.weight", 1): [0, 1]}), [X])


def test_a_network_that_does_not_run_is_named(model):
    with pytest.raises(VerificationError, match="does not run without the channels"):
        check_cut(model, cut({key: RIGHT[key] for key in list(RIGHT)[:2]}), [X])


def test_masks_are_zeros(model):
    masked = mask(model, cut(RIGHT))
    assert not masked[0].weight[1].any()
    assert not masked[2].weight[:, 1].any()
    assert masked[0].weight[[0, 2]].all()
