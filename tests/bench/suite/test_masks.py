from math import prod

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gossamer.bench.suite.masks import erk_densities, masks
from gossamer.bench.suite.row import Row
from gossamer.errors import SpecError

SHAPES = {"conv": (16, 8, 3, 3), "point": (32, 16, 1, 1), "linear": (12, 32)}


def weights(shapes=SHAPES):
    generator = torch.Generator().manual_seed(1)
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def found(sparsity, shapes=SHAPES, **options):
    row = Row("any", sparsity, **options)
    return masks(weights(shapes), row, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("sparsity", [0.5, 0.67, 0.9, 0.95])
@pytest.mark.parametrize("pattern", ["unstructured", "blocks", "runs"])
def test_every_layer_has_the_wanted_zeros(sparsity, pattern):
    rows = 1 if pattern == "unstructured" else 4
    for name, mask in found(sparsity, pattern=pattern).items():
        assert mask.shape == SHAPES[name]
        size = prod(SHAPES[name])
        assert int(mask.sum()) == rows * (size // rows - round(sparsity * size / rows))


def test_zeros_of_blocks_are_shared_by_four_output_channels():
    for mask in found(0.9, pattern="blocks").values():
        grouped = mask.reshape(len(mask) // 4, 4, -1)
        assert (grouped == grouped[:, :1]).all()
        assert not (grouped.reshape(len(mask) // 4, -1) == grouped.reshape(-1)[0]).all()


def test_zeros_of_runs_are_shared_by_four_input_channels():
    for mask in found(0.9, pattern="runs").values():
        grouped = mask.reshape(len(mask), mask.shape[1] // 4, 4, -1)
        assert (grouped == grouped[:, :, :1]).all()
        assert 0 < mask.sum() < mask.numel()


@pytest.mark.parametrize(("pattern", "shape"), [("blocks", (6, 8, 1, 1)), ("runs", (8, 6, 1, 1))])
def test_blocks_need_a_multiple_of_four_channels(pattern, shape):
    with pytest.raises(SpecError, match="multiple of four"):
        found(0.5, {"odd": shape}, pattern=pattern)


def test_random_places_depend_on_the_seed_alone():
    again = found(0.9)
    assert all(torch.equal(mask, again[name]) for name, mask in found(0.9).items())


def test_global_zeros_are_the_smallest_weights_of_all():
    kept = found(0.9, allocation="global")
    given_weights = weights()
    least_kept = min(given_weights[n][mask].abs().min() for n, mask in kept.items())
    largest_gone = max(given_weights[n][~mask].abs().max() for n, mask in kept.items())
    assert least_kept > largest_gone


def test_erk_keeps_more_of_small_layers():
    kept = {name: float(mask.float().mean()) for name, mask in found(0.9, allocation="erk").items()}
    densities = erk_densities(SHAPES, 0.9)
    assert kept == pytest.approx(densities, abs=2e-3)
    assert densities["point"] > densities["conv"]


@settings(max_examples=40)
@given(
    st.lists(
        st.lists(st.integers(1, 64), min_size=2, max_size=4).map(tuple), min_size=1, max_size=6
    ),
    st.floats(0.0, 0.99),
)
def test_erk_densities_are_fractions_and_keep_the_wanted_number(shapes, sparsity):
    named = {str(i): shape for i, shape in enumerate(shapes)}
    densities = erk_densities(named, sparsity)
    assert all(0 < density <= 1 for density in densities.values())
    kept = sum(prod(named[name]) * density for name, density in densities.items())
    assert kept == pytest.approx((1 - sparsity) * sum(prod(s) for s in shapes))
