from copy import deepcopy

import pytest
import torch

from gossamer.compress.contract import Context
from gossamer.compress.prune import lottery
from gossamer.compress.prune.lottery import LotteryTicket, rounds, shuffled
from gossamer.errors import PassError
from gossamer.train.recipe import Recipe

SHORT = Recipe(epochs=1, batch_size=20, learning_rate=0.05)


@pytest.fixture
def context(small_data, small_example) -> Context:
    return Context(small_example, small_data, progress=False)


def test_after_r_rounds_a_power_is_left():
    found = rounds(1 - 0.8**3, 0.2)
    assert [1 - s for s in found] == pytest.approx([0.8, 0.64, 0.512])
    assert rounds(0.0, 0.2) == [0.0]
    assert rounds(0.1, 0.2) == [0.1]


def starts(monkeypatch, small_parent, context, **options):
    """Run and return the model at the beginning of each training, and at the end."""
    seen = []
    for name in ("train_on", "train_sparse"):
        original = getattr(lottery, name)

        def spy(model, *args, original=original):
            seen.append(deepcopy(model))
            return original(model, *args)

        monkeypatch.setattr(lottery, name, spy)
    step = LotteryTicket(0.5, 0.3, training=SHORT, **options)
    model = step.apply(deepcopy(small_parent), context)
    return seen, model


def alive(model) -> torch.Tensor:
    return torch.cat([p.detach().flatten() != 0 for p in model.parameters() if p.ndim > 1])


def flat(model) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters() if p.ndim > 1])


def test_survivors_go_back_to_where_they_began(monkeypatch, small_parent, context):
    seen, model = starts(monkeypatch, small_parent, context)
    assert len(seen) == 3
    densities = [float(alive(m).double().mean()) for m in seen]
    assert densities == pytest.approx([1, 0.7, 0.5], abs=0.01)
    for state in seen[1:]:
        assert torch.equal(flat(state), flat(small_parent) * alive(state))
        assert torch.equal(state[1].running_mean, small_parent[1].running_mean)
    assert torch.equal(alive(model), alive(seen[-1]))
    assert not (alive(seen[2]) & ~alive(seen[1])).any()
    assert not torch.equal(flat(model), flat(seen[-1]))


def test_rewinds_to_a_later_step(monkeypatch, small_parent, context):
    seen, _ = starts(monkeypatch, small_parent, context, rewind=0.6)
    kept = flat(seen[1])[alive(seen[1])]
    assert not torch.equal(kept, flat(small_parent)[alive(seen[1])])
    assert torch.equal(flat(seen[2])[alive(seen[2])], flat(seen[1])[alive(seen[2])])


@pytest.mark.parametrize("start", ["reinitialise", "shuffle", "continue"])
def test_controls(monkeypatch, small_parent, context, start):
    seen, _ = starts(monkeypatch, small_parent, context, start=start)
    rewound, _ = starts(monkeypatch, small_parent, context)
    assert float(alive(seen[1]).double().mean()) == pytest.approx(0.7, abs=0.01)
    if start == "shuffle":
        assert not torch.equal(alive(seen[1]), alive(rewound[1]))
    else:
        assert torch.equal(alive(seen[1]), alive(rewound[1]))
        assert not torch.equal(flat(seen[1]), flat(rewound[1]))


def test_shuffled_masks_have_the_same_density():
    masks = {"a": torch.arange(20).view(4, 5) < 7, "b": torch.arange(6) < 2}
    found = shuffled(masks, 0)
    assert {n: int(m.sum()) for n, m in found.items()} == {"a": 7, "b": 2}
    assert not torch.equal(found["a"], masks["a"])


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"fraction": 0.0}, "out of range"),
        ({"fraction": 1.0}, "out of range"),
        ({"rewind": 1.0}, "out of range"),
        ({"start": "again"}, "unknown start"),
        ({"granularity": "2:4", "sparsity": 0.5}, "N:M has no rounds"),
        ({"sparsity": 2.0}, "sparsity out of range"),
    ],
)
def test_the_impossible_is_refused(small_parent, context, options, problem):
    with pytest.raises(PassError, match=f"lottery-ticket: .*{problem}"):
        LotteryTicket(**options).check(small_parent, context)
