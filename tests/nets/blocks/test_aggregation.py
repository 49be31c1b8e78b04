import weakref
from functools import partial, reduce

import pytest
import torch
from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.aggregation import Aggregation, concat_stage, frozen_statistics
from gossamer.nets.blocks.dense_unit import dense_unit
from gossamer.nets.connectivity.aggregation import (
    chain_sources,
    dense_sources,
    fan_in,
    last_readers,
    live_counts,
    sources_of,
    sparse_sources,
)

PATTERNS = [chain_sources, dense_sources, sparse_sources, partial(sparse_sources, base=3)]


def picture(channels: int, size: int = 4, n: int = 2) -> torch.Tensor:
    return torch.randn(n, channels, size, size, generator=torch.Generator().manual_seed(0))


def seeded(make):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make()


@pytest.mark.parametrize("sources", PATTERNS)
@pytest.mark.parametrize("layers", [1, 2, 7, 16])
def test_concatenation_is_what_the_definition_says(sources, layers):
    stage, width = seeded(lambda: concat_stage(5, [3] * layers, sources, dense_unit))
    x = picture(5)
    y = [x]
    for layer in range(1, layers + 1):
        unit = stage.get_submodule(f"unit{layer}")
        y.append(unit(torch.cat([y[s] for s in sources(layer)], 1)))
    expected = torch.cat([y[s] for s in sources(layers + 1)], 1)
    assert expected.shape[1] == width
    torch.testing.assert_close(stage(x), expected)


@pytest.mark.parametrize("sources", PATTERNS)
@pytest.mark.parametrize("layers", [1, 2, 7, 16])
def test_sum_is_what_the_definition_says(sources, layers):
    units = seeded(lambda: [dense_unit(3, 3) for _ in range(layers)])
    y = [picture(3)]
    for layer, unit in enumerate(units, 1):
        y.append(unit(sum(y[s] for s in sources(layer))))
    expected = sum(y[s] for s in sources(layers + 1))
    torch.testing.assert_close(Aggregation(units, sources, join="sum")(y[0]), expected)


def test_dense_sum_is_a_residual_network():
    units = seeded(lambda: [dense_unit(3, 3).eval() for _ in range(9)])
    expected = reduce(lambda x, unit: x + unit(x), units, picture(3))
    stage = Aggregation(units, dense_sources, join="sum").eval()
    torch.testing.assert_close(stage(picture(3)), expected, atol=1e-4, rtol=1e-4)


def test_entry_makes_the_input_that_later_layers_read():
    first, second, entry = seeded(
        lambda: [nn.Conv2d(2, 4, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(2, 4, 1)]
    )
    x = picture(2)
    y0, y1 = entry(x), first(x)
    y2 = second(y1 + y0)
    stage = Aggregation([first, second], sparse_sources, join="sum", entry=entry)
    torch.testing.assert_close(stage(x), y2 + y1)


def test_pools_what_is_still_to_be_read():
    stage, _ = seeded(lambda: concat_stage(2, [3] * 4, dense_sources, dense_unit, pool_before=[3]))
    plain, _ = seeded(lambda: concat_stage(2, [3] * 2, dense_sources, dense_unit))
    y = nn.functional.avg_pool2d(plain(picture(2)), 2)
    for layer in (3, 4):
        y = torch.cat([y, stage.get_submodule(f"unit{layer}")(y)], 1)
    torch.testing.assert_close(stage(picture(2)), y)


@pytest.mark.parametrize("base", [2, 3])
@pytest.mark.parametrize("bottleneck", [0, 4])
def test_weights_in_closed_form(base, bottleneck):
    c0, k = 10, 4
    for layers in range(1, 40):
        stage, width = concat_stage(
            c0,
            [k] * layers,
            partial(sparse_sources, base=base),
            partial(dense_unit, bottleneck=bottleneck),
        )
        read = sum(
            k * fan_in(n, base) + (c0 - k) * (0 in sparse_sources(n, base))
            for n in range(1, layers + 1)
        )
        kernels = 4 * k * read + 9 * 4 * k * k * layers if bottleneck else 9 * k * read
        convs = [m for m in stage.modules() if isinstance(m, nn.Conv2d)]
        assert sum(m.weight.numel() for m in convs) == kernels
        ends = (c0 - k) * (0 in sparse_sources(layers + 1, base))
        assert width == k * fan_in(layers + 1, base) + ends


def test_widths_of_the_notes_example():
    stage, width = concat_stage(48, [24] * 12, sparse_sources, dense_unit)
    widths = [stage.get_submodule(f"unit{n}").norm1.num_features for n in range(1, 13)]
    assert widths == [48, 72, 48, 96, 72, 72, 72, 120, 96, 96, 96, 96]
    assert width == 96


class _Watched(nn.Module):
    """Remembers weakly what it gave."""

    def __init__(self, given: list, alive: list) -> None:
        super().__init__()
        self.given, self.alive = given, alive

    def forward(self, x):
        y = x[:, :1] * 1.0
        self.alive.append(sum(reference() is not None for reference in self.given))
        self.given.append(weakref.ref(y))
        return y


@pytest.mark.parametrize("sources", PATTERNS)
@pytest.mark.parametrize("join", ["sum", "concat"])
@torch.no_grad()
def test_keeps_no_more_than_is_still_to_be_read(sources, join):
    given, alive, layers = [], [], 40
    stage = Aggregation([_Watched(given, alive) for _ in range(layers)], sources, join=join)
    result = stage(picture(1))
    # When unit l runs, what it and later ones read is alive; y_0 belongs to the caller.
    last = last_readers(layers, sources)
    expected = [
        sum(made < now <= last[made] for made in range(1, now)) for now in range(1, layers + 1)
    ]
    assert alive == expected
    assert max(alive) <= max(live_counts(last))
    del result
    assert sum(reference() is not None for reference in given) == 0


def trained(stage: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return gradients and statistics after one step's forward and backward pass."""
    x = x.clone().requires_grad_()
    y = stage(x)
    y.square().mean().backward()
    grads = {f"grad {name}": p.grad for name, p in stage.named_parameters()}
    return {"x": x.grad, "y": y.detach(), **grads, **dict(stage.named_buffers())}


@pytest.mark.parametrize("segment", [1, 2, 5, 9, 50])
@pytest.mark.parametrize("join", ["sum", "concat"])
def test_recomputation_changes_nothing(segment, join):
    def make(checkpoint):
        if join == "concat":
            options = {"checkpoint": checkpoint, "pool_before": [4]}
            return concat_stage(3, [3] * 9, sparse_sources, dense_unit, **options)[0]
        units = [dense_unit(3, 3) for _ in range(9)]
        entry = nn.Conv2d(3, 3, 1)
        return Aggregation(units, sparse_sources, join="sum", entry=entry, checkpoint=checkpoint)

    kept, recomputed = (trained(seeded(partial(make, n)), picture(3)) for n in (0, segment))
    assert kept.keys() == recomputed.keys()
    for name, value in kept.items():
        torch.testing.assert_close(recomputed[name], value, msg=name, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(("mode", "calls"), [(True, 2), (False, 1)])
def test_recomputes_in_training_only(mode, calls):
    count = []
    stage, _ = concat_stage(3, [3] * 5, sparse_sources, dense_unit, checkpoint=2)
    stage.unit2.register_forward_pre_hook(lambda *_: count.append(1))
    stage.train(mode)(picture(3).requires_grad_()).sum().backward()
    assert len(count) == calls


def test_gradients_of_a_concatenation_are_no_views():
    sizes = []

    def watch(_, __, y):
        y.register_hook(lambda grad: sizes.append((grad.untyped_storage().nbytes(), grad.numel())))

    units = [nn.Conv2d(4, 4, 1), nn.Conv2d(8, 4, 1)]
    units[-1].register_forward_hook(watch)  # read once: its gradient is nobody else's sum
    Aggregation(units, dense_sources)(picture(4).requires_grad_()).sum().backward()
    assert all(held == 4 * used for held, used in sizes)
    assert sizes


def test_concatenation_has_the_right_gradient():
    stage = Aggregation([nn.Conv2d(2, 2, 1).double(), nn.Conv2d(4, 2, 1).double()], dense_sources)
    x = picture(2, 2).double().requires_grad_()
    assert torch.autograd.gradcheck(stage, (x,))


def test_frozen_statistics_come_back():
    norm = nn.BatchNorm2d(3).train()
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    with frozen_statistics([norm]):
        norm(picture(3))
    assert all(torch.equal(value, before[name]) for name, value in norm.state_dict().items())
    norm(picture(3))
    assert norm.num_batches_tracked == 1
    assert not torch.equal(norm.running_mean, before["running_mean"])


@pytest.mark.parametrize("options", [{"join": "product"}, {"checkpoint": -1}])
def test_options_are_checked(options):
    with pytest.raises(SpecError, match="not an aggregation"):
        Aggregation([nn.Identity()], sources_of("dense"), **options)


def test_needs_a_unit():
    with pytest.raises(SpecError, match="0 units"):
        Aggregation([], dense_sources)
