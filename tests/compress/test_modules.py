"""Modules that passes put in: stored by name and options, and put back; hostile notes are named."""

import pytest
import torch
from torch import nn

from gossamer.compress.modules import MODULES, described, put_back, replaced
from gossamer.errors import DataError
from gossamer.nets.blocks.threshold import Truncated
from gossamer.nets.blocks.winners import KWinners


def changed() -> nn.Module:
    shared = Truncated("relu", torch.tensor([0.1, 0.2]), shifted=True)
    return nn.Sequential(nn.Linear(2, 2), shared, nn.Sequential(shared, KWinners(0.5, "image")))


def fresh() -> nn.Module:
    shared = nn.ReLU()
    return nn.Sequential(nn.Linear(2, 2), shared, nn.Sequential(shared, nn.ReLU()))


def test_a_network_comes_back():
    model = changed()
    notes = replaced(described(fresh()), described(model))
    assert set(notes) == {"1", "2.0", "2.1"}
    back = put_back(fresh(), notes, where="test")
    back.load_state_dict(model.state_dict())
    assert back[1] is back[2][0]
    x = torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(back(x), model(x))


def test_what_was_there_before_is_not_stored():
    assert replaced(described(changed()), described(changed())) == {}
    assert described(fresh()) == {}


def test_options_make_the_same_module():
    for name in MODULES:
        made = {"truncated": Truncated("tanh", 0.5), "k-winners": KWinners(0.25, "map")}[name]
        assert MODULES[name](**made.options()).options() == made.options()


@pytest.mark.parametrize(
    "notes",
    [
        7,
        {"1": 7},
        {"1": {}},
        {"1": {"module": "os"}},
        {"1": {"module": ["truncated"]}},
        {"9": {"module": "truncated"}},
        {"": {"module": "truncated"}},
        {"1": {"module": "truncated", "threshold": "high"}},
        {"1": {"module": "truncated", "threshold": [[1.0]]}},
        {"1": {"module": "truncated", "colour": 1}},
        {"1": {"module": "k-winners"}},
        {"1": {"module": "k-winners", "density": 5}},
        {"1": {"module": "k-winners", "density": "x"}},
    ],
)
def test_hostile_notes_are_a_named_error(notes):
    with pytest.raises(DataError, match="not those of this network"):
        put_back(fresh(), notes, where="file")
