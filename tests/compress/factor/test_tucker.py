import numpy as np
import pytest
import torch

from gossamer.compress.factor.tucker import Tucker
from tests.compress.factor.layers import LAYERS, conv, kernel, target_of


def low_rank(before: int, behind: int, rng: torch.Generator, noise: float = 0.0):
    """Return a 3×3 convolution (12 → 10) of Tucker ranks (before, behind)."""
    layer = conv(12, 10, 3)
    core, left, right = (
        torch.randn(*shape, generator=rng, dtype=torch.float64)
        for shape in ((behind, before, 3, 3), (10, behind), (12, before))
    )
    layer.weight[:] = torch.einsum("qprs,kq,cp->kcrs", core, left, right)
    layer.weight += noise * torch.randn(layer.weight.shape, generator=rng, dtype=torch.float64)
    return layer


def error(method: Tucker, choice: tuple[int, int]) -> float:
    made = kernel(method.stages(choice), method.weights(choice))
    weight = method.target.layer.weight
    return float((made - weight).square().sum() / weight.square().sum())


def test_a_kernel_of_low_rank_is_found_exactly(rng):
    method = Tucker(target_of(low_rank(3, 4, rng)))
    assert error(method, (3, 4)) < 1e-20
    assert method.loss((3, 4)) == pytest.approx(0, abs=1e-12)
    assert error(method, (2, 4)) > 1e-3


def test_noise_ranks_are_those_of_the_signal(rng):
    method = Tucker(target_of(low_rank(3, 4, rng, noise=0.1)))
    assert method.noise_choice(1) == (3, 4)
    assert method.noise_choice(8) == (8, 8)
    assert method.noise_choice(16) == (12, 10)


def test_improving_by_turns_never_loses_more_than_both_unfoldings(rng):
    layer = conv(12, 10, 3)
    method = Tucker(target_of(layer))
    unfolded = layer.weight.transpose(0, 1).flatten(1), layer.weight.flatten(1)
    values = [torch.linalg.svdvals(matrix).square() for matrix in unfolded]
    for choice in ((2, 2), (6, 3), (11, 9)):
        tails = [
            float(own[rank:].sum() / own.sum()) for own, rank in zip(values, choice, strict=True)
        ]
        found = error(method, choice)
        assert max(tails) - 1e-12 <= found <= method.loss(choice) + 1e-12
        assert method.loss(choice) <= sum(tails) + 1e-12


def test_weights_are_those_of_the_formula():
    """S·R3 + D²·R3·R4 + R4·T."""
    stages = Tucker(target_of(conv(12, 10, 3))).stages((4, 5))
    assert sum(stage.weights for stage in stages) == 12 * 4 + 9 * 4 * 5 + 5 * 10
    assert [stage.kernel for stage in stages] == [(1, 1), (3, 3), (1, 1)]


def test_macs_are_those_of_the_formula():
    """S·R3·H·W + D²·R3·R4·H′·W′ + T·R4·H′·W′: the first 1×1 runs before the stride."""
    layer = conv(12, 10, 3, stride=2, padding=1)
    target = target_of(layer)
    size, after = 9 * 8, 5 * 4
    expected = 12 * 4 * size + 9 * 4 * 5 * after + 10 * 5 * after
    assert target.macs(Tucker(target).stages((4, 5))) == expected


@pytest.mark.parametrize(("choice", "factors"), [((12, 5), 2), ((4, 10), 2), ((12, 10), 1)])
def test_a_full_rank_needs_no_convolution_of_its_own(choice, factors, rng):
    method = Tucker(target_of(low_rank(4, 5, rng)))
    assert len(method.stages(choice)) == len(method.weights(choice)) == factors
    assert error(method, choice) < 1e-20


@pytest.mark.parametrize("name", ["point", "linear"])
def test_a_matrix_has_one_rank(name):
    method = Tucker(target_of(LAYERS[name]))
    assert len(method.least(1)) == 1
    assert len(method.stages((2,))) == 2
    assert np.isclose(method.loss((2,)), method.svd.loss((2,)))


def test_one_side_may_be_narrower_than_the_other_allows():
    layer = conv(30, 2, 3)
    method = Tucker(target_of(layer))
    assert method.full == (30, 2)
    assert error(method, (20, 2)) < 1e-20
    assert [w.numel() for w in method.weights((20, 1))] == [
        s.weights for s in method.stages((20, 1))
    ]
