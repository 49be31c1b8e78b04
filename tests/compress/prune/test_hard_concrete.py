"""Hard concrete gates: their distribution, and that nothing is left of them afterwards."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from torch import nn

from gossamer.compress.contract import Context
from gossamer.compress.prune.hard_concrete import (
    Gate,
    L0Prune,
    drawn_gate,
    fixed_gate,
    open_probability,
)
from gossamer.errors import PassError
from gossamer.train.recipe import Recipe

SHORT = Recipe(epochs=4, batch_size=10, learning_rate=0.05, weight_decay=0.0)


@pytest.fixture
def context(small_data, small_example) -> Context:
    return Context(small_example, small_data, progress=False)


@pytest.mark.parametrize("log_alpha", [-2.0, 0.0, 1.0])
def test_the_probability_of_an_open_gate_is_that_of_drawing_one(log_alpha):
    torch.manual_seed(0)
    drawn = drawn_gate(torch.full((100_000,), log_alpha))
    expected = float(open_probability(torch.tensor(log_alpha)))
    assert float((drawn > 0).float().mean()) == pytest.approx(expected, abs=0.006)  # 4 deviations
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    assert (drawn == 1).any()


def test_known_values():
    zero = torch.zeros(())
    assert float(open_probability(zero)) == pytest.approx(0.83182, abs=1e-5)
    assert float(fixed_gate(zero)) == pytest.approx(0.5)


def test_gradients_reach_the_gates_and_the_weight():
    torch.manual_seed(0)
    weight = torch.randn(3, 2, 2, 2, requires_grad=True)
    gate = Gate(weight, "filter", 0.5)
    gate(weight).square().sum().backward()
    assert gate.log_alpha.shape == (3, 1, 1, 1)
    assert gate.log_alpha.grad is not None
    assert (gate.log_alpha.grad != 0).any()
    assert float(gate.density().detach()) == pytest.approx(24 * 0.83182, abs=1e-3)


@pytest.mark.parametrize("gates", ["element", "filter", "channel"])
def test_closed_gates_leave_exact_zeros_in_a_plain_network(small_parent, context, gates):
    step = L0Prune(3.0, gates, training=SHORT, gate_rate=0.2)
    step.check(small_parent, context)
    model = step.apply(deepcopy(small_parent), context)
    assert [type(m) for m in model.modules()] == [type(m) for m in small_parent.modules()]
    assert list(model.state_dict()) == list(small_parent.state_dict())
    assert isinstance(model[3].weight, nn.Parameter)
    assert step.got(model)["sparsity"] > 0.1
    dead = model[3].weight.detach() == 0
    if gates == "filter":
        assert (dead.flatten(1).all(1) | ~dead.flatten(1).any(1)).all()
    if gates == "channel":
        assert (
            dead.transpose(0, 1).flatten(1).all(1) | ~dead.transpose(0, 1).flatten(1).any(1)
        ).all()


def test_strength_decides(small_parent, context):
    found = [
        L0Prune(strength, training=SHORT, gate_rate=0.2) for strength in (0.0, 3.0)
    ]  # fmt: skip
    sparsity = [s.got(s.apply(deepcopy(small_parent), context))["sparsity"] for s in found]
    assert sparsity[0] < 0.3
    assert sparsity[1] > sparsity[0] + 0.2


def test_zeros_stay_and_without_epochs_nothing_happens(small_parent, context):
    model = deepcopy(small_parent)
    with torch.no_grad():
        model[3].weight[:, ::2] = 0
    step = L0Prune(training=replace(SHORT, epochs=1))
    assert (step.apply(model, context)[3].weight[:, ::2] == 0).all()
    still = L0Prune(training=Recipe(epochs=0)).apply(deepcopy(small_parent), context)
    assert torch.equal(still[3].weight, small_parent[3].weight)


@pytest.mark.parametrize(
    ("options", "problem"),
    [({"gates": "pixel"}, "unknown kind of gate"), ({"strength": -1.0}, "strength, drop"),
     ({"drop": 0.0}, "strength, drop"), ({"gate_rate": 0.0}, "strength, drop")],
)  # fmt: skip
def test_the_impossible_is_refused(small_parent, context, options, problem):
    with pytest.raises(PassError, match=f"l0-prune: {problem}"):
        L0Prune(**options).check(small_parent, context)
