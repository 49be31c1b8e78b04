import numpy as np
import pytest
import torch
from torch import nn

from gossamer.compress.channels.removal import remove_channels
from gossamer.compress.channels.score import unit_scores
from gossamer.compress.channels.search import Search
from gossamer.compress.channels.select import Share, choose_units, most
from gossamer.compress.channels.work import Work, work
from gossamer.compress.prune.criteria.magnitude import magnitude
from gossamer.errors import PassError


@pytest.fixture(scope="module")
def model() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 10, 3), nn.ReLU(), nn.Conv2d(10, 20, 3), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(20, 4),
        ).eval()  # fmt: skip


@pytest.fixture(scope="module")
def structure(model):
    return Search(model, torch.ones(1, 3, 8, 8), lambda name: False).structure(Share(amount=0.0))


def left(structure, share, scores=None):
    scores = np.arange(structure.count) if scores is None else scores
    return work(structure, choose_units(structure, scores, share))


def test_work_is_what_the_network_does(structure, model):
    from gossamer.compress.measure import measure

    whole = work(structure, np.zeros(structure.count, bool))
    assert whole == Work(30, measure(model, torch.zeros(1, 3, 8, 8)).macs)


@pytest.mark.parametrize("of", ["macs", "channels"])
@pytest.mark.parametrize("allocation", ["global", "uniform"])
def test_as_few_go_as_reach_the_share(structure, of, allocation):
    share = Share(of, 0.4, allocation, 0.0)
    scores = np.random.default_rng(0).random(structure.count)
    removed = choose_units(structure, scores, share)
    whole = work(structure, np.zeros(structure.count, bool))
    assert whole.removed(work(structure, removed), of) >= 0.4
    if allocation == "global":
        removed[np.flatnonzero(removed)[scores[removed].argmax()]] = False
        assert whole.removed(work(structure, removed), of) < 0.4


def test_uniform_takes_the_same_share_of_each_group(structure):
    removed = choose_units(structure, np.arange(30.0), Share("channels", 0.5, "uniform", 0.0))
    assert sorted(int(removed[group].sum()) for group in structure.groups) == [5, 10]


def test_the_least_density_holds(structure):
    assert most(structure, Share(min_density=0.25)).channels == 3 + 5
    assert most(structure, Share(min_density=0.0)).channels == 2


def test_widths_are_multiples(structure):
    removed = choose_units(structure, np.arange(30.0), Share("channels", 0.3, "uniform", 0, 4))
    assert all(int((~removed[group]).sum()) % 4 == 0 for group in structure.groups)
    assert left(structure, Share("channels", 0.0, multiple=8)).channels == 30


def test_without_a_multiple_wide_layers_go_by_eights_and_narrow_ones_by_less():
    model = nn.Sequential(
        nn.Conv2d(3, 12, 1), nn.Conv2d(12, 40, 1), nn.Conv2d(40, 96, 1), nn.Conv2d(96, 4, 1)
    )
    found = Search(model, torch.ones(1, 3, 8, 8), lambda name: False).structure(Share(amount=0.0))
    for amount in (0.1, 0.2, 0.3, 0.5, 0.7):
        share = Share("channels", amount, "uniform", 0.0, multiple=0)
        removed = choose_units(found, np.arange(float(found.count)), share)
        widths = {len(group): int((~removed[group]).sum()) for group in found.groups}
        assert widths[40] % 4 == 0
        assert widths[96] % 8 == 0


def test_a_score_sums_filters_and_readers_and_is_relative_to_its_group(structure, model):
    weights = dict(model.named_parameters())
    scores = unit_scores(structure, weights, magnitude)
    sums = weights["0.weight"].abs().sum((1, 2, 3)) + weights["2.weight"].abs().sum((0, 2, 3))
    expected = (sums / sums.mean()).detach().numpy()
    units = structure.unit_of["0.weight", 0]
    np.testing.assert_allclose(scores[units], expected, rtol=1e-5)
    doubled = unit_scores(structure, weights, lambda w: 2 * w.abs())
    np.testing.assert_allclose(doubled, scores)


@pytest.mark.parametrize(
    ("share", "problem"),
    [
        (Share(allocation="erk"), "unknown allocation .got erk"),
        (Share(of="flops"), "unknown measure"),
        (Share(amount=1.0), "amount out of range"),
        (Share(min_density=-0.1), "min_density out of range"),
        (Share(multiple=-1), "multiple out of range"),
    ],
)
def test_a_share_that_means_nothing_is_refused(share, problem):
    with pytest.raises(PassError, match=f"remove_channels: {problem}"):
        remove_channels(nn.Conv2d(3, 8, 3), torch.ones(1, 3, 8, 8), share)
