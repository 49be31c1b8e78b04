from copy import deepcopy

import pytest
import torch
from torch import nn

from gossamer.compress.channels.removal import remove_channels
from gossamer.compress.channels.select import Share
from gossamer.compress.contract import Context
from gossamer.compress.prune.one_shot import Prune
from gossamer.compress.sensitivity import LEVELS, measure_sensitivity
from gossamer.errors import PassError, SpecError, UnknownNameError
from gossamer.train.evaluate import accuracy


class Sum(nn.Module):
    """Two layers whose channels are added, and one that reads the sum."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(1, 8, 3), nn.Conv2d(1, 8, 3), nn.Conv2d(8, 8, 3)
        self.norm, self.head = nn.BatchNorm2d(8), nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(self.c(self.a(x).relu() + self.b(x).relu())).mean((2, 3)))


@pytest.mark.parametrize("over", list(LEVELS))
def test_one_curve_a_layer_and_the_model_stays(small_parent, small_data, small_example, over):
    before = deepcopy(small_parent.state_dict())
    levels = (4, 2) if over == "bits" else (0.5, 0.9)
    found = measure_sensitivity(
        small_parent, small_example, small_data, over=over, levels=levels, images=40
    )
    assert all(torch.equal(value, before[key]) for key, value in small_parent.state_dict().items())
    assert [curve.layers for curve in found.curves][:2] == [("0",), ("3",)]
    assert all(len(curve.accuracies) == 2 for curve in found.curves)
    assert (found.images, found.levels) == (40, levels)
    assert found.to_dict()["curves"][0]["weights"] == 72


def test_zeros_are_those_of_the_pass(small_parent, small_data, small_example):
    found = measure_sensitivity(
        small_parent, small_example, small_data, levels=(0.0, 0.9), criterion="taylor", images=60
    )
    assert found.accuracy == accuracy(small_parent, small_data.test)
    for curve in found.curves:
        assert curve.accuracies[0] == found.accuracy
        step = Prune(0.9, "taylor", min_density=0, include=curve.layers, images=60)
        pruned = deepcopy(small_parent)
        step.apply(pruned, Context(small_example, small_data, progress=False))
        assert curve.accuracies[1] == accuracy(pruned, small_data.test)


def test_layers_that_are_added_are_one_and_masked_is_removed(small_data, small_example):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Sum().eval()
    found = measure_sensitivity(model, small_example, small_data, over="channels", levels=(0.5,))
    assert [curve.layers for curve in found.curves] == [("a", "b"), ("c",)]
    assert found.curves[0].weights == 2 * 72
    removed = remove_channels(
        model, small_example, Share("channels", 8 / 24, "uniform"), holds=lambda name: name == "c"
    )
    assert removed.model.a.out_channels == 4
    assert found.curves[0].accuracies[0] == accuracy(removed.model, small_data.test)


def test_progress_is_told(small_parent, small_data, small_example):
    steps = []

    def started(total):
        steps.append(total)
        return lambda: steps.append(1)

    measure_sensitivity(
        small_parent, small_example, small_data, levels=(0.5,), images=5, started=started
    )
    assert steps == [4, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("options", "error", "problem"),
    [
        ({"over": "depth"}, SpecError, "nothing to measure"),
        ({"images": 0}, SpecError, "images out of range"),
        ({"levels": (1.0,)}, SpecError, "level out of range"),
        ({"over": "bits", "levels": (4.5,)}, SpecError, "level out of range"),
        ({"over": "bits", "criterion": "taylor"}, SpecError, "a criterion is for sparsity"),
        ({"criterion": "beauty"}, UnknownNameError, "unknown criterion"),
    ],
)
def test_refuses(small_parent, small_data, small_example, options, error, problem):
    with pytest.raises(error, match=problem):
        measure_sensitivity(small_parent, small_example, small_data, **options)


def test_a_network_without_weights_is_refused(small_data, small_example):
    with pytest.raises(PassError, match="no layer matches"):
        measure_sensitivity(nn.Flatten(), small_example, small_data)
