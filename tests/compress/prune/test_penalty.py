import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gossamer.compress.prune.penalty import (
    PENALTIES,
    hoyer_sparsity,
    hoyer_square,
    hoyer_square_slope,
    shrink_hoyer,
    shrink_l1,
    shrink_l2,
)


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).double()


GROUPS = {
    "group-lasso-filter": lambda w: [w[n] for n in range(w.shape[0])],
    "group-lasso-channel": lambda w: [w[:, c] for c in range(w.shape[1])],
    "group-lasso-shape": lambda w: list(w.flatten(1).T),
}


@pytest.mark.parametrize("name", GROUPS)
@given(seed=st.integers(0, 100), t=st.floats(0, 3))
def test_groups_shrink_by_their_closed_form(name, seed, t):
    weight = normal(seed, 3, 4, 2, 2)
    found = PENALTIES[name](weight, t)
    for before, after in zip(GROUPS[name](weight), GROUPS[name](found), strict=True):
        factor = max(0.0, 1 - t * before.numel() ** 0.5 / float(before.norm()))
        torch.testing.assert_close(after, factor * before)


@pytest.mark.parametrize("name", ["l1", *GROUPS])
@given(seed=st.integers(0, 50))
def test_a_proximal_step_is_the_minimum(name, seed):
    weight, t = normal(seed, 3, 2, 2, 2), 0.3

    def objective(v):
        groups = (
            [v.flatten()[i : i + 1] for i in range(v.numel())]
            if name == "l1"
            else (GROUPS[name](v))
        )
        norms = sum(float(g.norm()) * g.numel() ** 0.5 for g in groups)
        return float((v - weight).square().sum()) / 2 + t * norms

    found = PENALTIES[name](weight, t)
    for other in range(5):
        assert objective(found) <= objective(found + 0.05 * normal(other, *weight.shape))
    assert objective(found) <= objective(weight)


def test_soft_threshold_and_decay():
    weight = torch.tensor([2.0, -0.3, 0.3, -2.0])
    assert shrink_l1(weight, 0.5).tolist() == [1.5, 0.0, 0.0, -1.5]
    assert shrink_l2(weight, 1.0).tolist() == pytest.approx([1.0, -0.15, 0.15, -1.0])


def test_hoyer_square_has_its_slope_and_known_values():
    weight = normal(0, 20).requires_grad_()
    hoyer_square(weight).backward()
    torch.testing.assert_close(weight.grad, hoyer_square_slope(weight.detach()))
    assert float(hoyer_square(torch.ones(7))) == pytest.approx(7)
    assert float(hoyer_square(torch.tensor([0.0, 3.0]))) == pytest.approx(1)
    assert hoyer_sparsity(torch.tensor([0.0, 1.0, 0.0])) == pytest.approx(1)
    assert hoyer_sparsity(torch.ones(9)) == pytest.approx(0, abs=1e-6)


def test_hoyer_steps_grow_the_large_and_end_the_small():
    weight = torch.tensor([5.0, 0.01, -5.0, -0.02])
    moved = shrink_hoyer(weight, 0.1)
    assert moved[0] > 5
    assert moved[2] < -5
    assert moved[[1, 3]].tolist() == [0, 0]


@pytest.mark.parametrize("name", PENALTIES)
def test_zeros_and_shapes_stay(name):
    for weight in (torch.zeros(3, 4), normal(0, 3, 4), normal(0, 3, 2, 3, 3)):
        found = PENALTIES[name](weight, 0.1)
        assert found.shape == weight.shape
        assert (found[weight == 0] == 0).all()
        assert torch.isfinite(found).all()
