from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from torch import nn

import gossamer
from gossamer.compress.blocks.registry import ORDERINGS
from gossamer.compress.blocks.reorder import Reorder, block_density, block_magnitude
from gossamer.compress.compress import compress
from gossamer.compress.contract import Context
from gossamer.compress.layers import match_layers
from gossamer.compress.prune.granularity import parse_granularity
from gossamer.compress.prune.one_shot import Prune
from gossamer.errors import PassError
from gossamer.nets.blocks.residual import basic

X = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
FOURS = parse_granularity("4x1")


def hidden(noise: float = 0.0, *, shuffled: bool = True) -> nn.Module:
    """A residual network pruned in blocks of four filters, whose channels were then shuffled."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), basic(16, 16), basic(16, 32, stride=2),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 4),
        ).eval()  # fmt: skip
        layers = match_layers(model, (".*",), (".*6",), where="test")
        for layer in layers.values():
            pattern = torch.rand(len(layer.weight) // 4, *layer.weight.shape[1:]) < 0.25
            small = noise * layer.weight.abs().mean() * torch.randn(layer.weight.shape)
            layer.weight.copy_(torch.where(pattern.repeat_interleave(4, 0), layer.weight, small))
        assert block_density(layers, FOURS) == 1 or noise
        if shuffled:
            shuffle(model)
    return model


def shuffle(model: nn.Module) -> None:
    """Move channels about without changing what is computed."""
    from gossamer.compress.blocks.movable import find_movable
    from gossamer.compress.blocks.rearrange import move_units
    from gossamer.compress.channels.cut import apply_cut
    from gossamer.compress.channels.units import find_structure
    from gossamer.compress.channels.walk import follow
    from gossamer.graph.from_torch.program import frozen_copy

    flow = follow(frozen_copy(model), X[:1])
    structure = find_structure(flow)
    parts = find_movable(structure, match_layers(model, (".*",), (), where="test"), 4)
    assert len(parts) == 4
    moves = [(part.units, part.units[torch.randperm(len(part.units)).numpy()]) for part in parts]
    apply_cut(model, move_units(structure, moves))


@pytest.mark.parametrize("ordering", ["jaccard", "co-cluster"])
def test_hidden_blocks_are_found_and_outputs_stay(ordering):
    model = hidden()
    layers = match_layers(model, (".*",), (".*6",), where="test")
    assert block_density(layers, FOURS) < 0.5
    before = model(X).detach()
    told = {}
    step = Reorder(ordering, exclude=("6",))
    made = step.apply(model, Context(X, tell=told.__setitem__))
    assert torch.allclose(made(X), before, atol=1e-5)
    assert step.got(made)["block_density"] == told["block_density_after"] == 1.0
    assert told["block_density_before"] < 0.5
    assert told["layers_reordered"] == 6


def test_block_pruning_after_swaps_keeps_what_it_would_have_kept_before_the_shuffle():
    prune = Prune(sparsity=0.75, granularity="4x1", allocation="uniform")
    swaps = Reorder("swaps", sparsity=0.75)
    first, second, third = (
        sum(w.abs().sum().item() for w in step.parameters() if w.ndim > 1)
        for step in (
            prune.apply(hidden(noise=0.1), Context(X)),
            prune.apply(swaps.apply(hidden(noise=0.1), Context(X)), Context(X)),
            prune.apply(hidden(noise=0.1, shuffled=False), Context(X)),
        )
    )
    assert first < 0.8 * third
    assert second > 0.99 * third
    layers = match_layers(hidden(noise=0.1), (".*",), (), where="test")
    assert block_magnitude(layers, 4, 0.75) < 0.75


@pytest.mark.parametrize("ordering", list(ORDERINGS))
@pytest.mark.parametrize("block", ["2x1", "8x1"])
def test_random_weights_gain_a_little_and_lose_nothing(ordering, block):
    model = hidden()
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(2)
        for parameter in model.parameters():
            parameter.normal_().mul_(torch.rand(parameter.shape) < 0.3)
    told = {}
    Reorder(ordering, block).apply(model, Context(X, tell=told.__setitem__))
    figure = "kept_magnitude" if ordering == "swaps" else "block_density"
    assert told[f"{figure}_after"] > told[f"{figure}_before"]


def test_the_ledger_says_before_and_after_and_the_time():
    times = iter([3.0, 2.0])

    def time_ms(model: nn.Module, x: torch.Tensor) -> float:
        assert model(x).shape == (1, 4)
        return next(times)

    (entry,) = compress(hidden(), X, [Reorder("swaps")], time_ms=time_ms).ledger.entries
    assert (entry.got["time_ms_before"], entry.got["time_ms_after"]) == (3.0, 2.0)
    assert entry.got["kept_magnitude_after"] > entry.got["kept_magnitude_before"]
    assert entry.got["block_density"] == entry.got["block_density_after"]
    assert entry.after.nonzeros == entry.before.nonzeros
    (entry,) = compress(hidden(), X, [Reorder()]).ledger.entries
    assert not entry.got.keys() & {"time_ms_after", "kept_magnitude_after"}


def test_what_stays_is_named():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.LocalResponseNorm(3), nn.Conv2d(8, 4, 3)).eval()
    (entry,) = compress(model, X, [Reorder(block="2x1")]).ledger.entries
    assert "filters stay" in entry.notes["0"]
    assert "local_response_norm" in entry.notes["0"]
    assert "2" not in entry.notes


def test_layers_left_out_move_along_but_do_not_count():
    model = hidden()
    first = deepcopy(model[2])
    told = {}
    step = Reorder(include=("0",))
    step.apply(model, Context(X, tell=told.__setitem__))
    assert step.got(model)["block_density"] == 1.0
    weights = [block.state_dict() for block in (first, model[2])]
    assert not all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    assert told["layers_reordered"] == 1


def test_exports():
    result = compress(hidden(), X, [Reorder(), Prune(0.9, allocation="uniform")])
    assert gossamer.export(result.model, X).weights["0.weight"].shape == (16, 3, 3, 3)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"ordering": "none"}, "unknown ordering"),
        ({"block": "4x4"}, "blocks are filters times one weight"),
        ({"block": "2:4"}, "blocks are filters times one weight"),
        ({"block": "element"}, "blocks are filters times one weight"),
        ({"block": "some"}, "unknown granularity"),
        ({"sparsity": 1.0}, "sparsity out of range"),
        ({"include": ("nothing",)}, "no layer matches"),
    ],
)
def test_the_impossible_is_said_first(options, problem):
    with pytest.raises(PassError, match=problem):
        replace(Reorder(), **options).check(hidden(), Context(X))
