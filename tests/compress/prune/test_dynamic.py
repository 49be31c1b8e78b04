from copy import deepcopy
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gossamer.compress.contract import Context
from gossamer.compress.prune import dynamic
from gossamer.compress.prune.dynamic import DynamicSparse, moved_mask
from gossamer.errors import PassError
from gossamer.train.recipe import Recipe

SHORT = Recipe(epochs=4, batch_size=10, learning_rate=0.05)


@pytest.fixture
def context(small_data, small_example) -> Context:
    return Context(small_example, small_data, progress=False)


@given(seed=st.integers(0, 500), fraction=st.floats(0, 1))
def test_as_many_as_before_the_largest_kept_and_the_most_promising_new(seed, fraction):
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(40, generator=generator) < 0.5
    weight = torch.randn(40, generator=generator) * mask
    promise = torch.rand(40, generator=generator)
    moved = moved_mask(mask, weight, promise, fraction, torch.ones(40, dtype=torch.bool))
    count, moving = int(mask.sum()), int(fraction * int(mask.sum()))
    assert int(moved.sum()) == count
    order = weight.abs().masked_fill(~mask, -1).argsort(descending=True)
    assert moved[order[: count - moving]].all()
    rest = order[count - moving :]
    assert set(moved.nonzero().flatten().tolist()) - set(order[: count - moving].tolist()) == set(
        rest[promise[rest].argsort(descending=True)[:moving]].tolist()
    )


def test_growth_only_where_it_is_allowed():
    mask = torch.tensor([True, True, False, False, False])
    allowed = torch.tensor([True, True, False, True, False])
    moved = moved_mask(mask, torch.ones(5), torch.arange(5.0), 1.0, allowed)
    assert moved.tolist() == [False, True, False, True, False]


@pytest.mark.parametrize("growth", ["gradient", "random"])
def test_masks_move_at_equal_density_until_they_stop(small_parent, context, growth, monkeypatch):
    seen, fresh = [], []
    original = dynamic._Mover.__call__

    def spy(self, step):
        before = {name: mask.clone() for name, mask in self.masks.items()}
        original(self, step)
        seen.append(torch.cat([mask.flatten() for mask in self.masks.values()]))
        for name, layer in self.layers.items():
            new = self.masks[name] & ~before[name]
            momentum = step.optimiser.state[layer.weight]["momentum_buffer"]
            assert not layer.weight[new].any()
            assert not momentum[new].any()
            assert not layer.weight[~self.masks[name]].any()
            fresh.append(int(new.sum()))

    monkeypatch.setattr(dynamic._Mover, "__call__", spy)
    step = DynamicSparse(0.7, growth, every=4, stop=0.5, training=SHORT)
    model = step.apply(deepcopy(small_parent), context)
    assert len(seen) == 40
    assert len({int(mask.sum()) for mask in seen}) == 1
    changes = [index + 1 for index, (a, b) in enumerate(pairwise(seen)) if not torch.equal(a, b)]
    # After steps 4, 8, 12 and 16 of 40; 20 is the end. What was dropped may come back.
    assert changes
    assert set(changes) <= {3, 7, 11, 15}
    assert sum(fresh) > 0
    assert step.got(model)["sparsity"] == pytest.approx(0.7, abs=0.02)


def test_gradient_growth_takes_the_largest_gradients(small_parent, context, monkeypatch):
    original = dynamic._Mover._move

    def spy(self, name, weight, fraction, optimiser):
        before = self.masks[name]
        original(self, name, weight, fraction, optimiser)
        new, never = self.masks[name] & ~before, ~self.masks[name] & ~before
        if new.any() and never.any():
            assert weight.grad[new].abs().min() >= weight.grad[never].abs().max()

    monkeypatch.setattr(dynamic._Mover, "_move", spy)
    DynamicSparse(0.7, every=4, training=SHORT).apply(deepcopy(small_parent), context)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"growth": "wild"}, "unknown growth"),
        ({"start": "wild"}, "unknown criterion"),
        ({"drop": 1.5}, "out of range"),
        ({"every": 0}, "out of range"),
        ({"stop": -0.1}, "out of range"),
        ({"allocation": "wild"}, "unknown allocation"),
    ],
)
def test_the_impossible_is_refused(small_parent, context, options, problem):
    with pytest.raises(PassError, match=f"dynamic-sparse: .*{problem}"):
        DynamicSparse(**options).check(small_parent, context)
