"""Training under a penalty on activations, and k winners."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch

from gossamer.compress.contract import Context
from gossamer.compress.neurons.measure import measure_activations
from gossamer.compress.neurons.penalise import PenaliseActivations
from gossamer.compress.neurons.penalty import PENALTIES
from gossamer.compress.neurons.winners import KeepWinners
from gossamer.errors import PassError
from gossamer.graph.export import export
from gossamer.nets.blocks.winners import KWinners
from gossamer.train.recipe import Recipe

SHORT = Recipe(epochs=4, batch_size=20, learning_rate=0.05)


def activity(model, context) -> float:
    """Return the mean absolute activation behind the ReLUs, of unit scale a layer."""
    return measure_activations(model, context.example_inputs).sparsity


@pytest.mark.parametrize(
    ("penalty", "strength"), [("l1", 1.0), ("hoyer-square", 3.0), ("log", 1.0)]
)
def test_a_penalty_makes_more_activations_zero(small_parent, told, penalty, strength):
    context, heard = told
    step = PenaliseActivations(penalty, strength, training=SHORT)
    step.check(small_parent, context)
    charged = step.apply(deepcopy(small_parent), context)
    free = replace(step, strength=0.0).apply(deepcopy(small_parent), replace(context))
    assert activity(charged, context) > activity(free, context)
    assert heard["activation_sparsity"] > 0
    assert not charged[2]._forward_hooks
    assert set(PENALTIES) >= {penalty}


@pytest.mark.parametrize(
    ("options", "problem"),
    [({"penalty": "l7"}, "unknown penalty"), ({"strength": -1.0}, "strength or width"),
     ({"width": 0.0}, "strength or width"), ({"include": ("3",)}, "no layer matches")],
)  # fmt: skip
def test_impossible_penalties_are_refused(small_parent, context, options, problem):
    with pytest.raises(PassError, match=f"penalise-activations: {problem}"):
        PenaliseActivations(**options).check(small_parent, context)


@pytest.mark.parametrize("over", ["channels", "map", "image"])
def test_k_winners(small_parent, told, over):
    context, heard = told
    step = KeepWinners(0.25, over, training=SHORT)
    step.check(small_parent, context)
    model = step.apply(deepcopy(small_parent), context)
    assert isinstance(model[2], KWinners)
    assert step.got(model) == {"activations": 2}
    out = model[:3](context.example_inputs)
    axes = {"channels": (1,), "map": (2, 3), "image": (1, 2, 3)}[over]
    size = torch.tensor([out.shape[axis] for axis in axes]).prod()
    assert ((out != 0).sum(axes) <= -(-size // 4)).all()
    assert (out >= 0).all()  # the ReLU is still there
    assert heard["skippable_macs"] > 0
    export(model, context.example_inputs)


@pytest.mark.parametrize(
    ("options", "problem"),
    [({"density": 0.0}, "density out of range"), ({"over": "batch"}, "unknown competition"),
     ({"include": ("3",)}, "no layer matches")],
)  # fmt: skip
def test_impossible_winners_are_refused(small_parent, context, options, problem):
    with pytest.raises(PassError, match=f"k-winners: {problem}"):
        KeepWinners(**options).check(small_parent, context)
    with pytest.raises(PassError, match="retraining needs data"):
        KeepWinners().check(small_parent, Context(context.example_inputs))
