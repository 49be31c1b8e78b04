"""Zeros in activations and the MACs that they let skip, against counting one by one."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from gossamer.compress.contract import Context
from gossamer.compress.measure import measure
from gossamer.compress.neurons.measure import measure_activations, tell_activations
from gossamer.compress.quantise.layers import read_signs, round_input
from gossamer.graph.ops import Quantise


def sparse(seed: int, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator) * (torch.rand(shape, generator=generator) < 0.5)


def skipped_one_by_one(layer: nn.Conv2d, x: torch.Tensor, size: tuple[int, int]) -> int:
    """Count, for one image, the nonzero weights that read a zero inside the picture."""
    count, groups = 0, layer.groups
    filters, channels = layer.out_channels // groups, layer.in_channels // groups
    for k, c, r, s in product(*(range(n) for n in layer.weight.shape)):
        if layer.weight[k, c, r, s] == 0:
            continue
        for i, j in product(range(size[0]), range(size[1])):
            y = i * layer.stride[0] + r * layer.dilation[0] - layer.padding[0]
            z = j * layer.stride[1] + s * layer.dilation[1] - layer.padding[1]
            if 0 <= y < x.shape[1] and 0 <= z < x.shape[2]:
                count += int(x[k // filters * channels + c, y, z] == 0)
    return count


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 100), st.sampled_from([1, 2, 4]), st.integers(1, 2), st.integers(0, 2),
    st.integers(1, 2),
)  # fmt: skip
def test_convolutions(seed, groups, stride, padding, dilation):
    layer = nn.Conv2d(
        4, 4, (2, 3), stride=stride, padding=padding, dilation=dilation, groups=groups
    )
    with torch.no_grad():
        layer.weight.copy_(sparse(seed, *layer.weight.shape))
    x = sparse(seed + 1, 2, 4, 6, 5)
    size = tuple(layer(x).shape[2:])
    (found,) = measure_activations(layer, x).layers
    expected = [skipped_one_by_one(layer, image, (size[0], size[1])) for image in x]
    assert found.skippable_macs == sum(expected) / 2
    assert found.entries == 120
    assert found.zeros == int((x == 0).sum()) / 2
    (plain,) = measure(layer, x).layers
    assert (found.macs, found.effective_macs) == (plain.macs, plain.effective_macs)


def test_linear_layers_over_several_batches_and_uses():
    layer = nn.Linear(6, 6, bias=False)
    with torch.no_grad():
        layer.weight.copy_(sparse(0, 6, 6))
    x = sparse(1, 5, 6)
    skipped = ((layer.weight != 0).float() @ (x == 0).float().T).sum()
    (once,) = measure_activations(layer, [x[:2], x[2:]]).layers
    assert once.skippable_macs == pytest.approx(float(skipped) / 5)
    twice = measure_activations(nn.Sequential(layer, layer), x).layers[0]
    assert twice.entries == 12
    assert twice.macs == 72


def test_the_report_adds_up_and_leaves_the_network_as_it_was():
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)).train()
    report = measure_activations(model, sparse(0, 8, 4))
    assert [layer.name for layer in report.layers] == ["0", "2"]
    assert report.sparsity == sum(own.zeros for own in report.layers) / 8
    numbers = report.numbers()
    assert numbers["skippable_macs"] == sum(own.skippable_macs for own in report.layers)
    share = numbers["skippable_fraction_of_effective_macs"]
    assert share == numbers["skippable_macs"] / 24
    assert report.to_dict()["layers"][1]["sparsity"] == report.layers[1].sparsity
    assert "zeros" in str(report.layers[0])
    assert model.training
    assert not model[0]._forward_hooks


# Han et al. 2015, tables 3 to 6: activations that are not zero, weights kept, and MACs left, in %.
HAN = {
    "LeNet-300-100": ([38, 65, 100], [8, 9, 26], [8, 4, 17]),
    "LeNet-5": ([82, 72, 55, 100], [66, 12, 8, 19], [66, 10, 6, 10]),
    "AlexNet": (
        [88, 52, 37, 40, 34, 36, 40, 100],
        [84, 38, 35, 37, 37, 9, 9, 25],
        [84, 33, 18, 14, 14, 3, 3, 10],
    ),
    "VGG-16": (
        [53, 89, 80, 81, 68, 70, 64, 51, 45, 34, 32, 29, 19, 38, 42, 100],
        [58, 22, 34, 36, 53, 24, 42, 32, 27, 34, 35, 29, 36, 4, 4, 23],
        [58, 12, 30, 29, 43, 16, 29, 21, 14, 15, 12, 9, 11, 1, 2, 9],
    ),
}


@pytest.mark.parametrize("network", HAN)
def test_macs_left_are_weights_kept_times_activations_left_of_the_layer_before(network):
    """The published identity, and the measure on a chain with these densities."""
    active, kept, left = HAN[network]
    for weights, inputs, macs in zip(kept, [100, *active[:-1]], left, strict=True):
        assert abs(weights * inputs / 100 - macs) <= 1
        layer = nn.Linear(400, 300, bias=False)
        generator = torch.Generator().manual_seed(weights)
        with torch.no_grad():
            layer.weight.copy_(torch.rand(300, 400, generator=generator) < weights / 100)
        x = (torch.rand(20, 400, generator=generator) < inputs / 100).float()
        (found,) = measure_activations(layer, x).layers
        rest = (found.effective_macs - found.skippable_macs) / found.macs
        # Means over 8000 activations and 120000 weights: two points are over three deviations.
        assert 100 * rest == pytest.approx(weights * inputs / 100, abs=2)


def test_layers_that_round_or_read_signs_meet_the_zeros_that_they_read():
    x = torch.tensor([[0.1, -0.1, 3.0, 0.0]])
    rounded, signed = nn.Linear(4, 1), nn.Linear(4, 1)
    round_input(rounded, Quantise(1.0, 0, 0, 255))
    read_signs(signed)
    assert measure_activations(nn.Sequential(rounded), x).sparsity == 0.75
    assert measure_activations(nn.Sequential(signed), x).sparsity == 0


def test_the_ledger_tells_of_pictures_where_there_are_any(small_parent, small_data, small_example):
    told: list[dict] = []
    for data in (small_data, None):
        told.append({})
        zeros = torch.zeros_like(small_example)
        tell_activations(small_parent, Context(zeros, data, tell=told[-1].__setitem__))
    seen = small_data.train.batch(np.arange(len(small_data.train)))[0]
    expected = measure_activations(small_parent, seen).sparsity
    assert told[0]["activation_sparsity"] == pytest.approx(expected, rel=1e-3)
    assert told[1]["activation_sparsity"] > expected
