from copy import deepcopy

import pytest

from gossamer.compress.contract import Context
from gossamer.compress.prune.penalise import Penalise
from gossamer.errors import PassError
from gossamer.train.recipe import Recipe

SHORT = Recipe(epochs=6, batch_size=10, learning_rate=0.05, weight_decay=0.0)


@pytest.fixture
def context(small_data, small_example) -> Context:
    return Context(small_example, small_data, progress=False)


@pytest.mark.parametrize(
    ("penalty", "strength", "zeros"),
    [("l1", 0.05, True), ("l2", 0.05, False), ("group-lasso-filter", 0.1, True),
     ("group-lasso-channel", 0.3, True), ("group-lasso-shape", 0.1, True),
     ("hoyer-square", 0.003, True)],
)  # fmt: skip
def test_penalties_leave_exact_zeros_or_small_weights(
    small_parent, context, penalty, strength, zeros
):
    step = Penalise(penalty, strength, training=SHORT)
    found = step.apply(deepcopy(small_parent), context)
    free = Penalise(penalty, 0.0, training=SHORT).apply(deepcopy(small_parent), context)
    assert (step.got(found)["sparsity"] > 0.1) == zeros
    assert step.got(free)["sparsity"] == 0
    if penalty == "group-lasso-filter":
        alive = found[3].weight.detach().flatten(1) != 0
        assert (alive.all(1) | ~alive.any(1)).all()
        assert (~alive.any(1)).any()
    if not zeros:
        assert found[3].weight.norm() < free[3].weight.norm()


@pytest.mark.parametrize(
    ("options", "problem"),
    [({"penalty": "l3"}, "unknown penalty"), ({"strength": -1.0}, "strength out of range"),
     ({"strength": float("nan")}, "strength out of range")],
)  # fmt: skip
def test_the_impossible_is_refused(small_parent, context, options, problem):
    with pytest.raises(PassError, match=f"penalise: {problem}"):
        Penalise(**options).check(small_parent, context)
