from dataclasses import replace

import pytest
import torch
from torch import nn

from gossamer.compress.blocks.combine_columns import CombineColumns
from gossamer.compress.compress import compress
from gossamer.compress.contract import Context
from gossamer.compress.prune.one_shot import Prune
from gossamer.errors import PassError

X = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def model() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 1, groups=2)).eval()


def test_sparse_columns_are_packed(model):
    steps = [Prune(0.85, allocation="uniform"), CombineColumns(most=6, conflicts=0.3)]
    result = compress(model, X, steps)
    pruned, combined = result.ledger.entries
    assert combined.got["utilisation"] > 2 * 0.15
    assert combined.got["combined_columns"] < 0.6 * (27 + 16)
    assert combined.after.nonzeros < pruned.after.nonzeros
    assert combined.after.nonzeros > 0.7 * pruned.after.nonzeros
    kept = [m.weight != 0 for m in (result.model[0], result.model[2])]
    parent = [m.weight for m in (model[0], model[2])]
    for mask, own, weight in zip(kept, (result.model[0], result.model[2]), parent, strict=True):
        assert torch.equal(own.weight[mask], weight[mask])


def test_dense_columns_meet_in_every_row(model):
    (entry,) = compress(model, X, [CombineColumns(most=8, conflicts=0.0)]).ledger.entries
    assert entry.after.nonzeros == entry.before.nonzeros
    assert entry.got["utilisation"] == 1.0
    (entry,) = compress(model, X, [CombineColumns(most=8, conflicts=1.0)]).ledger.entries
    assert entry.got["utilisation"] == 1.0
    assert entry.after.nonzeros == pytest.approx(entry.before.nonzeros / 2, rel=0.05)


def test_a_layer_without_nonzeros(model):
    with torch.no_grad():
        model[2].weight.zero_()
        model[0].weight.zero_()
    (entry,) = compress(model, X, [CombineColumns()]).ledger.entries
    assert (entry.got["combined_columns"], entry.got["utilisation"]) == (0, 1.0)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"most": 0}, "most out of range"),
        ({"conflicts": -1.0}, "conflicts out of range"),
        ({"conflicts": float("nan")}, "conflicts out of range"),
    ],
)
def test_the_impossible_is_said_first(model, options, problem):
    with pytest.raises(PassError, match=problem):
        replace(CombineColumns(), **options).check(model, Context(X))
