import numpy as np
import pytest
import torch

from gossamer.compress.factor.cp import CP, cp_als, outer
from gossamer.compress.factor.stage import build_chain
from tests.compress.factor.layers import LAYERS, conv, example_of, kernel, target_of


def sum_of(rank: int, rng: torch.Generator, shape=(10, 12, 3, 3)) -> torch.Tensor:
    factors = [torch.randn(size, rank, generator=rng, dtype=torch.float64) for size in shape]
    return outer(factors)


@pytest.mark.parametrize("rank", [1, 2, 5])
def test_a_sum_of_products_is_found(rank, rng):
    tensor = sum_of(rank, rng)
    factors = cp_als(tensor, rank, np.random.default_rng(0))
    assert (outer(factors) - tensor).square().sum() < 1e-4 * tensor.square().sum()


def test_the_scale_of_the_tensor_does_not_matter(rng):
    tensor = sum_of(4, rng)
    losses = []
    for scale in (1e-4, 1.0, 1e4):
        factors = cp_als(scale * tensor, 3, np.random.default_rng(0))
        losses.append(float((outer(factors) / scale - tensor).square().sum()))
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-3)


def test_components_do_not_grow_against_each_other():
    """A tensor whose best approximation of rank 2 does not exist: without the penalty both grow."""
    a, b = torch.eye(4, dtype=torch.float64)[:2]
    one = lambda *vs: torch.einsum("k,c,r,s->kcrs", *vs)  # noqa: E731
    tensor = one(a, a, b, a) + one(a, b, a, a) + one(b, a, a, a)
    losses = []
    for seed in range(3):
        factors = cp_als(tensor, 2, np.random.default_rng(seed))
        largest = torch.stack([factor.norm(dim=0) for factor in factors]).prod(0).max()
        assert largest < 3 * tensor.norm()
        losses.append(float((outer(factors) - tensor).square().sum() / tensor.square().sum()))
    assert min(losses) < 0.01
    assert max(losses) < 0.7  # one component alone leaves two thirds


def test_more_rank_loses_less():
    method = CP(target_of(conv(6, 8, 3)))
    losses = [
        float(
            (kernel(method.stages((r,)), method.weights((r,))) - method.target.layer.weight).norm()
        )
        for r in (1, 4, 16)
    ]
    assert losses == sorted(losses, reverse=True)


def test_weights_are_those_of_the_formula():
    """R·(S + 2·D + T), and the window on the pair in the middle."""
    layer = conv(12, 10, 3, stride=2, padding=(1, 0))
    stages = CP(target_of(layer)).stages((7,))
    assert sum(stage.weights for stage in stages) == 7 * (12 + 2 * 3 + 10)
    assert [s.stride for s in stages] == [(1, 1), (2, 1), (1, 2), (1, 1)]
    assert [s.padding for s in stages] == [(0, 0), (1, 0), (0, 0), (0, 0)]


def test_an_axis_of_one_tap_has_no_stage():
    assert len(CP(target_of(LAYERS["row"])).stages((3,))) == 3


def test_a_matrix_is_refused():
    assert "its CP is its SVD" in CP(target_of(LAYERS["point"])).reason()


@pytest.mark.parametrize(
    ("taps", "options"),
    [((1, 3), {"stride": 2}), ((3, 1), {"padding": 1}), ((3, 1), {"padding": "same"}),
     ((1, 3), {"dilation": 2, "stride": (2, 1)})],
)  # fmt: skip
def test_kernels_of_one_axis_keep_their_whole_window(taps, options):
    layer = conv(6, 4, taps, **options, bias=False)
    method = CP(target_of(layer))
    stages = method.stages(method.full)
    weights = method.weights(method.full)
    chain = build_chain(stages, weights, None)
    layer.weight.copy_(kernel(stages, weights))
    assert len(stages) == 3
    torch.testing.assert_close(chain(example_of(layer)), layer(example_of(layer)))


def test_a_group_of_zeros_stays_zero():
    layer = conv(8, 12, 3, groups=2)
    layer.weight[:6] = 0
    method = CP(target_of(layer))
    found = kernel(method.stages((9,)), method.weights((9,)))
    assert (found[:6] == 0).all()
    assert (found[6:, 4:] - layer.weight[6:]).norm() < 0.6 * layer.weight.norm()
