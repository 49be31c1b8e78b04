"""What every registered pass owes its users."""

from copy import deepcopy
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
import torch
from torch import nn

from gossamer.compress.chains import chains, weighted_paths
from gossamer.compress.compress import compress
from gossamer.compress.contract import Context
from gossamer.compress.modules import described
from gossamer.compress.recipe import recipe_from_text, recipe_to_text
from gossamer.compress.registry import PASSES
from gossamer.compress.resume import PassStore
from gossamer.errors import PassError
from gossamer.nets.blocks.conv import conv_norm_act
from gossamer.nets.blocks.shuffle import ChannelShuffle
from gossamer.nets.create import create_model
from gossamer.train.data import load_data
from gossamer.train.recipe import Recipe

REPLACING = {"truncate-activations", "k-winners"}
"""Passes that put other activations in the places of those that were there."""

pytestmark = pytest.mark.parametrize("name", list(PASSES))


@pytest.fixture(scope="module")
def data():
    return load_data("digits")


@pytest.fixture(scope="module")
def model() -> nn.Module:
    """Interleaved blocks of grouped convolutions, and dense convolutions before them."""
    model = create_model("digits-igc", primary=2, secondary=4)
    model.stem = nn.Sequential(model.stem, conv_norm_act(4, 16), conv_norm_act(16, 4))
    return model.eval()


@pytest.fixture(scope="module")
def example(data) -> torch.Tensor:
    return data.test.batch(np.arange(2))[0]


def short(name: str, epochs: int):
    step = PASSES[name]()
    return replace(step, training=replace(step.training, epochs=epochs))


def check_modules(before: nn.Module, after: nn.Module) -> None:
    """Check that layers are what they were, or chains of plain layers, or of those in a table."""
    made, put = chains(weighted_paths(before), after), described(after)
    inside = tuple(f"{path}." for path in (*made, *put)) or ("-",)
    types = {path: type(module) for path, module in before.named_modules()}
    for path, module in after.named_modules():
        if path.startswith(inside):
            assert type(module) in (nn.Conv2d, nn.Linear, ChannelShuffle)
        elif path not in made and path not in put:
            assert type(module) is types[path]
    keys = [[key for key in m.state_dict() if not key.startswith(inside)] for m in (before, after)]
    assert keys[0] == keys[1]


def test_is_a_frozen_record_of_its_own_name_that_survives_text(name):
    step = PASSES[name]()
    assert step.name == name
    assert recipe_from_text(recipe_to_text([step])) == (step,)
    with pytest.raises(FrozenInstanceError):
        step.training = Recipe()


@pytest.mark.parametrize("epochs", [0, 1])
def test_gives_a_plain_module_and_leaves_the_parent(name, epochs, model, data, example, tmp_path):
    before = deepcopy(model.state_dict())
    result = compress(model, example, [short(name, epochs)], data=data, checkpoint=tmp_path)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert type(result.model) is type(model)
    check_modules(model, result.model)
    assert bool(described(result.model)) == (name in REPLACING)
    assert torch.isfinite(result.model(example)).all()
    assert not torch.equal(result.model(example), model(example))
    entry = result.ledger.entries[0]
    assert entry.got
    assert entry.after.parameters <= entry.before.parameters
    for module in result.model.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
    again = deepcopy(model)
    PassStore(tmp_path, again, [short(name, epochs)], seed=0).restore(again)
    check_modules(result.model, again)
    assert torch.equal(result.model(example), again.eval()(example))


def test_zeros_stay_zero(name, model, data, example):
    sparse = deepcopy(model)
    with torch.no_grad():
        sparse.blocks[1].primary.weight[:, :, ::2] = 0
    result = short(name, 1).apply(sparse, Context(example, data, progress=False))
    layer = result.blocks[1].primary
    first = next(module for module in layer.modules() if isinstance(module, nn.Conv2d))
    picture = torch.zeros(1, first.in_channels, 5, 5)
    nothing = layer(picture)
    picture[:, :, 2] = 1  # a line, of which each row of the kernel makes one
    lines = (layer(picture) - nothing) != 0
    assert lines[:, :, 2].any()
    assert not lines[:, :, [1, 3]].any()


def test_same_seed_same_result(name, model, data, example):
    states = [
        short(name, 1).apply(deepcopy(model), Context(example, data, 3, False)).state_dict()
        for _ in range(2)
    ]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_refuses_before_work_begins(name, model, example, data):
    with pytest.raises(PassError, match=f"{name}: retraining needs data"):
        compress(model, example, [short(name, 1)])
    with pytest.raises(PassError, match=f"{name}: no layer matches"):
        compress(model, example, [replace(short(name, 1), include=("nothing",))], data=data)
