"""The pass that cuts activations off."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn

from gossamer.compress.compress import compress
from gossamer.compress.neurons.measure import measure_activations
from gossamer.compress.neurons.truncate import TruncateActivations
from gossamer.errors import PassError
from gossamer.graph.export import export
from gossamer.nets.blocks.threshold import Truncated
from gossamer.train.evaluate import accuracy
from gossamer.train.recipe import Recipe

SHORT = Recipe(epochs=2, batch_size=20, learning_rate=0.01)
NONE = Recipe(epochs=0)


@pytest.mark.parametrize("per", ["layer", "channel"])
@pytest.mark.parametrize("shifted", [False, True])
def test_more_zeros_at_almost_the_same_accuracy(small_parent, told, small_data, per, shifted):
    context, heard = told
    step = TruncateActivations("sparsity", 0.7, per, shifted, training=SHORT)
    step.check(small_parent, context)
    model = step.apply(deepcopy(small_parent), context)
    assert isinstance(model[2], Truncated)
    assert model[2].threshold.shape == ((8,) if per == "channel" else ())
    pictures = small_data.train.batch(np.arange(100))[0]
    before, after = (measure_activations(m, pictures) for m in (small_parent, model))
    assert heard["activation_sparsity"] == pytest.approx(after.sparsity, rel=1e-3)
    assert heard["skippable_macs"] == pytest.approx(after.skippable_macs, rel=1e-3)
    assert after.sparsity > before.sparsity
    assert after.skippable_macs > before.skippable_macs
    assert "zeros" in heard["3"]
    assert accuracy(model, small_data.test) > 0.9
    got = step.got(model)
    assert got["highest_threshold"] > 0
    export(model, context.example_inputs)


def test_a_given_threshold_needs_no_data(small_parent, small_example):
    step = TruncateActivations("threshold", 0.25, training=NONE)
    result = compress(small_parent, small_example, [step])
    assert step.got(result.model) == {"lowest_threshold": 0.25, "highest_threshold": 0.25}
    assert type(small_parent[2]) is nn.ReLU
    zero = TruncateActivations("threshold", 0.0, training=NONE)
    same = compress(small_parent, small_example, [zero]).model
    assert torch.equal(same(small_example), small_parent(small_example))


def test_thresholds_do_not_move_and_zeros_of_weights_stay(small_parent, context):
    model = deepcopy(small_parent)
    with torch.no_grad():
        model[3].weight[:, ::2] = 0
    TruncateActivations("threshold", 0.3, training=SHORT).apply(model, context)
    assert float(model[2].threshold) == pytest.approx(0.3)
    assert (model[3].weight[:, ::2] == 0).all()
    assert not torch.equal(model[3].weight, small_parent[3].weight)


def test_resumed_with_other_activations(small_parent, small_data, small_example, tmp_path):
    """A finished pass comes back with its modules, into a network that does not have them."""
    passes = [TruncateActivations("sparsity", 0.6, "channel", training=NONE)] * 2
    through = compress(small_parent, small_example, passes, data=small_data, checkpoint=tmp_path)
    again = compress(
        small_parent, small_example, passes, data=small_data, checkpoint=tmp_path, resume=True
    )
    assert torch.equal(again.model(small_example), through.model(small_example))
    assert [type(m) for m in again.model] == [type(m) for m in through.model]


@pytest.mark.parametrize(
    ("options", "problem"),
    [({"by": "feeling"}, "unknown way to find thresholds"), ({"per": "pixel"}, "unknown kind"),
     ({"amount": 1.0}, "amount or images out of range"), ({"amount": -1.0}, "amount or images"),
     ({"by": "loss", "amount": float("nan")}, "amount or images"),
     ({"images": 0}, "amount or images"), ({"include": ("3",)}, "no layer matches")],
)  # fmt: skip
def test_the_impossible_is_refused(small_parent, context, options, problem):
    with pytest.raises(PassError, match=f"truncate-activations: {problem}"):
        TruncateActivations(**options).check(small_parent, context)


def test_one_module_of_two_widths_has_no_thresholds_a_channel(context, small_example):
    shared = nn.ReLU()
    model = nn.Sequential(nn.Conv2d(1, 2, 3), shared, nn.Conv2d(2, 3, 3), shared, nn.Flatten())
    with pytest.raises(PassError, match=r"different widths.*got \[2, 3\]"):
        TruncateActivations(per="channel").check(model, context)
    TruncateActivations().check(model, context)


class Unused(nn.Sequential):
    """Does not run its last module."""

    def forward(self, x):
        return self[0](x)


def test_an_activation_that_does_not_run_is_no_obstacle(context, small_parent):
    model = Unused(small_parent, nn.ReLU()).eval()
    TruncateActivations(per="channel").check(model, context)


def test_data_is_asked_for(small_parent, small_example):
    from gossamer.compress.contract import Context

    with pytest.raises(PassError, match="measuring needs data"):
        TruncateActivations(training=NONE).check(small_parent, Context(small_example))
