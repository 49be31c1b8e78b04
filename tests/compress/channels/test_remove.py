from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import gossamer
from gossamer.compress.channels.remove import RemoveChannels
from gossamer.compress.compress import compress
from gossamer.compress.contract import Context
from gossamer.compress.prune.gradual import GradualPrune
from gossamer.errors import PassError
from gossamer.train.recipe import Recipe

ONE_SHOT = Recipe(epochs=0)
REMOVE = RemoveChannels(amount=0.4, min_density=0.0, training=ONE_SHOT)


def test_the_ledger_says_asked_got_and_what_stayed(small_parent, small_example):
    (entry,) = compress(small_parent, small_example, [REMOVE]).ledger.entries
    assert entry.asked["amount"] == 0.4
    assert entry.got["macs_removed"] >= 0.4
    assert entry.got["macs_removed"] == pytest.approx(1 - entry.after.macs / entry.before.macs)
    assert 0 < entry.got["channels_removed"] < 1
    mixed = nn.Sequential(*small_parent[:1], nn.LocalResponseNorm(3), *small_parent[2:]).eval()
    remove = replace(REMOVE, of="channels", amount=0.1)
    (entry,) = compress(mixed, small_example, [remove]).ledger.entries
    assert "local_response_norm" in entry.notes["0.weight"]
    assert "0.weight: channels stay" in str(entry)
    assert type(entry).from_dict(entry.to_dict()) == entry


def test_excluded_layers_keep_their_channels(small_parent, small_example):
    options = replace(REMOVE, of="channels", amount=0.2, exclude=("0",))
    made = compress(small_parent, small_example, [options]).model
    assert made[0].out_channels == 8
    assert made[3].out_channels < 8


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"of": "bytes"}, "unknown measure"),
        ({"allocation": "some"}, "unknown allocation"),
        ({"allocation": "erk"}, "unknown allocation"),
        ({"criterion": "none"}, "unknown criterion"),
        ({"amount": 1.0}, "amount out of range"),
        ({"min_density": -0.1}, "min_density out of range"),
        ({"multiple": -1}, "multiple out of range"),
        ({"images": 0}, "images out of range"),
        ({"compensate": "some"}, "unknown compensation"),
        ({"compensate": "outputs"}, "needs data"),
        ({"amount": 0.9, "min_density": 0.5}, "cannot be removed"),
    ],
)
def test_the_impossible_is_said_first(small_parent, small_example, options, problem):
    with pytest.raises(PassError, match=problem):
        replace(REMOVE, **options).check(small_parent, Context(small_example))


def test_removing_again_and_pruning_after_and_exporting(small_parent, small_example):
    prune = GradualPrune(0.5, training=ONE_SHOT)
    result = compress(small_parent, small_example, [REMOVE, REMOVE, prune])
    assert result.ledger.entries[-1].after.macs < 0.4 * result.ledger.entries[0].before.macs
    graph = gossamer.export(result.model, small_example)
    assert graph.weights["0.weight"].shape[0] == result.model[0].out_channels


def test_retraining_keeps_zeros(small_parent, small_data, small_example):
    sparse = deepcopy(small_parent)
    with torch.no_grad():
        sparse[3].weight[:, :, 0] = 0
    training = Recipe(epochs=1, batch_size=20, learning_rate=0.05)
    made = compress(sparse, small_example, [replace(REMOVE, training=training)], data=small_data)
    assert (made.model[3].weight[:, :, 0] == 0).all()
    assert made.ledger.entries[0].accuracy_after > 0.9


def test_interrupted_after_channels_are_gone(small_parent, small_example, tmp_path, monkeypatch):
    recipe = [REMOVE, GradualPrune(0.5, training=ONE_SHOT)]
    through = compress(small_parent, small_example, recipe, checkpoint=tmp_path).model
    (tmp_path / "pass-1-gradual-prune.safetensors").unlink()
    monkeypatch.setattr(RemoveChannels, "apply", lambda *args: pytest.fail("it was finished"))
    again = compress(small_parent, small_example, recipe, checkpoint=tmp_path, resume=True).model
    assert again[0].out_channels == through[0].out_channels < 8
    assert again[3].groups == through[3].groups
    for key, value in through.state_dict().items():
        assert torch.equal(again.state_dict()[key], value)


def test_what_others_can_say_is_lost_by_no_output(small_data, small_example):
    """One channel is half of another: it goes, and the layer that read it makes up for it."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 10))
    with torch.no_grad():
        model[0].weight[2], model[0].bias[2] = model[0].weight[0] / 2, model[0].bias[0] / 2
    remove = replace(REMOVE, of="channels", amount=0.2, multiple=1, criterion="energy")
    plain, fitted = (
        compress(model.eval(), small_example, [pass_], data=small_data).model
        for pass_ in (remove, replace(remove, compensate="outputs"))
    )
    x = small_data.test.batch(np.arange(50))[0]
    assert fitted[0].out_channels == plain[0].out_channels == 3
    assert (fitted(x) - model(x)).abs().max() < 0.05 * (plain(x) - model(x)).abs().max()


def test_fitting_keeps_zeros(small_parent, small_data, small_example):
    sparse = deepcopy(small_parent)
    with torch.no_grad():
        sparse[3].weight[:, :, 0] = 0
    fit = replace(REMOVE, compensate="outputs", images=100)
    made = compress(sparse, small_example, [fit], data=small_data).model
    assert (made[3].weight[:, :, 0] == 0).all()
    assert not torch.isin(made[3].weight[made[3].weight != 0], sparse[3].weight).any()
