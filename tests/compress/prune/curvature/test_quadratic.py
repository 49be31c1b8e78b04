"""Optimal brain surgeon and what follows from it, against brute force."""

from itertools import combinations

import pytest
import torch

from gossamer.compress.prune.curvature.quadratic import Quadratic, inverse, quadratic_of, refit
from gossamer.compress.prune.curvature.removal import removal_scores, removal_trace
from gossamer.compress.prune.curvature.sweep import sweep
from gossamer.compress.prune.granularity import Granularity, parse_granularity
from gossamer.compress.prune.selection import keep_in_groups

ELEMENT = Granularity()


def layer_problem(seed: int, rows: int = 4, columns: int = 8, samples: int = 200, groups: int = 1):
    """A layer with correlated inputs: weight (K, C), and Q(v) = ‖(v − w) X‖²."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(groups * rows, columns, generator=generator).double()
    mixing = torch.randn(groups, columns, columns, generator=generator).double()
    x = mixing @ torch.randn(groups, columns, samples, generator=generator).double()
    curvature = 2 * x @ x.transpose(1, 2)
    return quadratic_of(weight, curvature, damping=0, rows=rows, shape=weight.shape), x


def best_refit(quadratic: Quadratic, kept: list[int], row: int) -> float:
    """The constrained minimum by plain least squares with the dense solution's residual."""
    h, w = quadratic.curvature[0], quadratic.weight[0, row]
    gone = [j for j in range(len(w)) if j not in kept]
    # min over v_S of ½ (v − w)ᵀ H (v − w) with v_gone = 0
    v = torch.zeros_like(w)
    if kept:
        v[kept] = w[kept] + torch.linalg.solve(h[kept][:, kept], h[kept][:, gone] @ w[gone])
    return float((v - w) @ h @ (v - w) / 2)


def lowest(scores: torch.Tensor, sparsity: float) -> torch.Tensor:
    """A mask without the lowest scores of the whole tensor."""
    order = scores.flatten().argsort(stable=True)
    mask = torch.ones(scores.numel(), dtype=torch.bool)
    mask[order[: round(sparsity * scores.numel())]] = False
    return mask.view(scores.shape)


def uniform_rows(scores: torch.Tensor, sparsity: float) -> torch.Tensor:
    return torch.stack([lowest(row, sparsity) for row in scores])


def test_surgeon_is_exact_on_a_quadratic():
    # Hassibi & Stork: L_q = w_q²/(2[H⁻¹]_qq), δw = −(w_q/[H⁻¹]_qq)·H⁻¹e_q.
    quadratic, _ = layer_problem(0, rows=1)
    w, inverted = quadratic.weight[0, 0], inverse(quadratic.curvature)[0]
    for q in range(len(w)):
        mask = torch.ones(1, len(w), dtype=torch.bool)
        mask[0, q] = False
        moved = w - w[q] / inverted[q, q] * inverted[:, q]
        loss = float(w[q] ** 2 / (2 * inverted[q, q]))
        torch.testing.assert_close(refit(quadratic, mask)[0], moved * mask[0])
        assert quadratic.loss(moved[None]) == pytest.approx(loss)
        assert best_refit(quadratic, mask[0].nonzero().flatten().tolist(), 0) == pytest.approx(loss)


def test_group_removal_formula():
    # L = ½ w_Qᵀ([H⁻¹]_QQ)⁻¹w_Q
    quadratic, _ = layer_problem(1, rows=1)
    w, inverted = quadratic.weight[0, 0], inverse(quadratic.curvature)[0]
    gone = [1, 4, 6]
    mask = torch.ones(1, len(w), dtype=torch.bool)
    mask[0, gone] = False
    expected = w[gone] @ torch.linalg.solve(inverted[gone][:, gone], w[gone]) / 2
    assert quadratic.loss(refit(quadratic, mask)) == pytest.approx(float(expected))


@pytest.mark.parametrize("seed", range(5))
def test_one_removal_is_the_minimum_over_all_weights_and_refits(seed):
    quadratic, _ = layer_problem(seed, rows=1)
    columns = list(range(8))
    order, losses = removal_trace(
        quadratic.weight[0], inverse(quadratic.curvature)[0], torch.arange(8)
    )
    every = [best_refit(quadratic, [c for c in columns if c != q], 0) for q in columns]
    assert float(losses[0]) == pytest.approx(min(every))
    assert int(order[0]) == every.index(min(every))


@pytest.mark.parametrize("seed", range(3))
def test_a_fixed_mask_cannot_be_fitted_better(seed):
    quadratic, _ = layer_problem(seed)
    generator = torch.Generator().manual_seed(seed)
    dense = quadratic.whole(quadratic.weight)
    mask = torch.rand(dense.shape, generator=generator) > 0.5
    swept = sweep(quadratic, lambda scores, columns: mask[:, columns], widths=[8])
    assert torch.equal(swept != 0, mask)
    found = quadratic.loss(refit(quadratic, mask))
    assert found <= min(quadratic.loss(swept), quadratic.loss(dense * mask))
    rows = [
        best_refit(quadratic, row.nonzero().flatten().tolist(), i) for i, row in enumerate(mask)
    ]
    assert found == pytest.approx(sum(rows))


@pytest.mark.parametrize("count", [1, 3, 7, 8])
def test_the_trace_sums_to_the_true_error_of_the_layer(count):
    quadratic, x = layer_problem(2, rows=3)
    mask = torch.ones(3, 8, dtype=torch.bool)
    total = 0.0
    for row in range(3):
        order, losses = removal_trace(
            quadratic.weight[0, row : row + 1], inverse(quadratic.curvature)[0], torch.arange(8)
        )
        mask[row, order[:count]] = False
        total += float(losses[:count].sum())
    found = refit(quadratic, mask)
    error = (found - quadratic.whole(quadratic.weight)) @ x[0]
    assert float(error.square().sum()) == pytest.approx(total)
    assert quadratic.loss(found) == pytest.approx(total)


def test_white_inputs_make_every_method_the_magnitude_mask():
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(6, 10, generator=generator).double()
    white = quadratic_of(
        weight, 3 * torch.eye(10).double()[None], damping=0, rows=6, shape=weight.shape
    )
    expected = lowest(weight.abs(), 0.5)
    assert torch.equal(lowest(removal_scores(white, ELEMENT), 0.5), expected)
    torch.testing.assert_close(refit(white, expected), weight * expected)
    swept = sweep(white, lambda scores, columns: lowest(scores, 0.5), widths=[10])
    torch.testing.assert_close(swept, weight * expected)


def test_methods_that_know_more_lose_less_on_average():
    errors = {"magnitude": 0.0, "obd": 0.0, "sparse-gpt": 0.0, "exact-obs": 0.0}
    for seed in range(8):
        quadratic, _ = layer_problem(seed, rows=8, columns=24)
        dense = quadratic.whole(quadratic.weight)
        diagonal = quadratic.curvature[0].diagonal()
        errors["magnitude"] += quadratic.loss(dense * uniform_rows(dense.abs(), 0.5))
        errors["obd"] += quadratic.loss(dense * uniform_rows(dense**2 * diagonal, 0.5))
        keep = lambda scores, columns: uniform_rows(scores, 0.5)  # noqa: E731
        errors["sparse-gpt"] += quadratic.loss(sweep(quadratic, keep, widths=[8, 8, 8]))
        mask = uniform_rows(removal_scores(quadratic, ELEMENT), 0.5)
        errors["exact-obs"] += quadratic.loss(refit(quadratic, mask))
    assert errors["magnitude"] > errors["obd"] > errors["sparse-gpt"] > errors["exact-obs"]


def test_scores_rank_as_a_heap_over_the_rows_would():
    quadratic, _ = layer_problem(3, rows=5)
    inverted = inverse(quadratic.curvature)[0]
    traces = [
        removal_trace(quadratic.weight[0, r : r + 1], inverted, torch.arange(8)) for r in range(5)
    ]
    scores = removal_scores(quadratic, ELEMENT)
    heads, gone = [0] * 5, torch.zeros(5, 8, dtype=torch.bool)
    for count in range(1, 41):
        row = min(
            (r for r in range(5) if heads[r] < 8), key=lambda r: float(traces[r][1][heads[r]])
        )
        gone[row, traces[row][0][heads[row]]] = True
        heads[row] += 1
        assert torch.equal(~lowest(scores, count / 40), gone)


@pytest.mark.parametrize("text", ["1x3", "1x4", "2x1", "4x2", "filter"])
def test_blocks_are_removed_whole_and_the_first_one_is_the_cheapest(text):
    granularity = parse_granularity(text)
    quadratic, _ = layer_problem(4)
    labels = granularity.labels(quadratic.shape)
    scores = removal_scores(quadratic, granularity)
    units = [scores[labels == unit] for unit in range(int(labels.max()) + 1)]
    assert all(bool((unit == unit[0]).all()) for unit in units)
    per_weight = [
        quadratic.loss(refit(quadratic, labels != unit)) / int((labels == unit).sum())
        for unit in range(len(units))
    ]
    first = min(range(len(units)), key=lambda unit: float(units[unit][0]))
    # A row removes what costs least as a whole; its ragged last block is the one exception.
    if 8 % min(granularity.columns, 8) == 0:
        assert first == per_weight.index(min(per_weight))
        assert float(units[first][0]) == pytest.approx(per_weight[first])


def test_n_of_m_fills_no_group_beyond_its_room():
    quadratic, _ = layer_problem(5)
    granularity = parse_granularity("2:4")
    scores = removal_scores(quadratic, granularity)
    mask = scores == torch.inf
    assert (mask.view(4, 2, 4).sum(2) == 2).all()
    layer = torch.nn.Linear(8, 4)
    assert torch.equal(keep_in_groups(scores, layer, granularity), mask)
    # In each row at least as good as the best of all masks that a single wrong choice allows.
    dense = quadratic.whole(quadratic.weight)
    magnitude = keep_in_groups(dense.abs(), layer, granularity)
    assert quadratic.loss(refit(quadratic, mask)) < quadratic.loss(refit(quadratic, magnitude))


def test_greedy_is_near_the_best_of_all_masks():
    quadratic, _ = layer_problem(6, rows=1)
    every = [best_refit(quadratic, list(kept), 0) for kept in combinations(range(8), 4)]
    mask = uniform_rows(removal_scores(quadratic, ELEMENT), 0.5)
    found = quadratic.loss(refit(quadratic, mask))
    assert min(every) - 1e-9 <= found <= sorted(every)[len(every) // 10]


def test_grouped_layers_have_one_curvature_a_group():
    quadratic, _ = layer_problem(7, rows=2, groups=3)
    scores = removal_scores(quadratic, ELEMENT)
    for group in range(3):
        part = Quadratic(
            quadratic.weight[group : group + 1],
            quadratic.curvature[group : group + 1],
            torch.Size([2, 8]),
        )
        torch.testing.assert_close(scores[2 * group : 2 * group + 2], removal_scores(part, ELEMENT))


def test_zero_weights_go_first_and_dead_inputs_cost_nothing():
    quadratic, x = layer_problem(8)
    weight = quadratic.whole(quadratic.weight).clone()
    weight[1, [2, 5]] = 0
    x[0, 3] = 0
    problem = quadratic_of(weight, 2 * x @ x.transpose(1, 2), damping=0, rows=4, shape=weight.shape)
    scores = removal_scores(problem, ELEMENT)
    assert sorted(scores[1].argsort()[:2].tolist()) == [2, 5]
    mask = torch.ones(4, 8, dtype=torch.bool)
    mask[:, 3] = False
    error = (refit(problem, mask) - weight) @ x[0]
    assert float(error.abs().max()) < 1e-9


def test_shapes_with_a_last_row_that_is_filled_up():
    weight = torch.arange(1.0, 6).view(1, 5)
    problem = quadratic_of(
        weight, torch.eye(3).double().expand(2, 3, 3), damping=0, rows=1, shape=weight.shape
    )
    assert torch.equal(problem.whole(problem.weight), weight.double())
    assert problem.loss(torch.zeros(1, 5)) == pytest.approx(55 / 2)
