"""The back-propagated diagonal against the exact one: where it is exact, and where it is not."""

import pytest
import torch
from torch import nn

from gossamer.compress.prune.curvature.backprop import (
    backprop_diagonal,
    cross_entropy_curvature,
    squared_error_curvature,
)
from gossamer.compress.prune.curvature.diagonal import exact_diagonal, hutchinson_diagonal
from gossamer.errors import PassError


def seeded(*layers) -> nn.Module:
    model = nn.Sequential(*layers).double().eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(0.6 * torch.randn(p.shape, generator=generator))
        for norm in (m for m in model.modules() if isinstance(m, nn.BatchNorm2d)):
            norm.running_mean.normal_(generator=generator)
            norm.running_var.uniform_(0.5, 2, generator=generator)
    return model


def normal(*shape) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1)).double()


def squared_error(outputs, targets):
    return (outputs - targets).square().sum()


def diagonals(model, x, y, loss, curvature, **options):
    weights = [p for p in model.parameters() if p.ndim > 1]
    exact = exact_diagonal(loss(model(x), y) / len(x), weights)
    batches = list(zip(x.split(3), y.split(3), strict=True))
    found = backprop_diagonal(model, batches, weights, curvature=curvature, **options)
    return found, exact


def error(found, exact) -> float:
    return float((found - exact).abs().max() / exact.abs().max())


def cross_entropy_sum(logits, labels):
    return nn.functional.cross_entropy(logits, labels, reduction="sum")


def test_both_layers_of_two_are_exact_for_squared_error():
    model = seeded(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3), nn.Tanh())
    found, exact = diagonals(
        model, normal(7, 4), normal(7, 3), squared_error, squared_error_curvature,
        gauss_newton=False,
    )  # fmt: skip
    assert all(error(f, e) < 1e-12 for f, e in zip(found, exact, strict=True))
    assert min(float(e.min()) for e in exact) < 0  # the f″ terms matter here


def test_the_sign_of_the_second_term_is_plus():
    # With the minus of the scanned paper the first layer would be far off.
    model = seeded(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3), nn.Tanh())
    x, y = normal(7, 4), normal(7, 3)
    full, exact = diagonals(model, x, y, squared_error, squared_error_curvature, gauss_newton=False)
    half, _ = diagonals(model, x, y, squared_error, squared_error_curvature)
    minus = 2 * half[1] - full[1]  # the output layer: Gauss–Newton minus the f″ terms
    assert error(full[1], exact[1]) < 1e-12
    assert error(minus, exact[1]) > 0.1


def test_only_the_output_layer_is_exact_for_cross_entropy():
    model = seeded(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    labels = torch.arange(7) % 3
    found, exact = diagonals(
        model, normal(7, 4), labels, cross_entropy_sum, cross_entropy_curvature,
        gauss_newton=False,
    )  # fmt: skip
    assert error(found[1], exact[1]) < 1e-12
    assert error(found[0], exact[0]) > 0.05


def test_three_layers_and_shared_weights_are_estimates():
    deep = seeded(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 5), nn.Tanh(), nn.Linear(5, 3))
    found, exact = diagonals(
        deep, normal(7, 4), normal(7, 3), squared_error, squared_error_curvature,
        gauss_newton=False,
    )  # fmt: skip
    assert error(found[2], exact[2]) < 1e-12
    assert error(found[1], exact[1]) < 1e-12
    assert error(found[0], exact[0]) > 1e-3
    shared = seeded(nn.Conv2d(1, 2, 3), nn.Tanh(), nn.Conv2d(2, 1, 3), nn.Flatten())
    found, exact = diagonals(
        shared, normal(3, 1, 6, 6), normal(3, 4), squared_error, squared_error_curvature,
        gauss_newton=False,
    )  # fmt: skip
    assert error(found[1], exact[1]) < 1e-12
    assert error(found[0], exact[0]) > 1e-3


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 1)
        self.norm = nn.BatchNorm2d(2)

    def forward(self, x):
        return nn.functional.relu_(self.norm(self.conv(x)) + x)


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(2, 1, 1, groups=1), nn.Conv2d(2, 2, 1, groups=2)

    def forward(self, x):
        a, b = self.one(x), self.two(x)
        return torch.cat([2 * a, b, b.flip(1)], 1) - 0.5 * x.mean((1, 2, 3), keepdim=True)


# After these tails the last weight reaches each output by one path, so that its diagonal is exact.
LAST = {
    "plain": [nn.Flatten()],
    "norm": [nn.BatchNorm2d(2), nn.Flatten()],
    "relu": [nn.ReLU(inplace=True), nn.Flatten()],
    "sigmoid": [nn.Sigmoid(), nn.Flatten()],
    "hardswish": [nn.Hardswish(), nn.Flatten()],
    "silu": [nn.SiLU(inplace=True), nn.Flatten()],
    "max": [nn.MaxPool2d(2), nn.Flatten()],
    "pad": [nn.ZeroPad2d(1), nn.Flatten()],
    "shuffle": [nn.ChannelShuffle(2), nn.Flatten()],
    "dropout": [nn.Dropout(0.5), nn.Flatten()],
    "leaky": [nn.LeakyReLU(0.3), nn.Flatten()],
}


@pytest.mark.parametrize("tail", LAST)
def test_rules_are_exact_where_nothing_is_dropped(tail):
    model = seeded(nn.Conv2d(2, 2, 3, padding=1), *LAST[tail])
    x = normal(5, 2, 6, 6)
    y = torch.zeros_like(model(x))
    found, exact = diagonals(
        model, x, y, squared_error, squared_error_curvature, gauss_newton=False
    )
    assert error(found[0], exact[0]) < 1e-12


@pytest.mark.parametrize(
    "pool",
    [
        nn.AvgPool2d(2),
        nn.AvgPool2d(3, 2, 1),
        nn.AvgPool2d(3, 2, 1, count_include_pad=False),
        nn.AdaptiveAvgPool2d(1),
        nn.AdaptiveAvgPool2d((4, 2)),
    ],
    ids=str,
)
def test_averages_divide_by_the_square(pool):
    # The curvature at the pool's input, seen through a weight for each pixel of its own.
    class PerPixel(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(normal(1, 6, 6))

        def forward(self, x):
            return pool(self.weight * x).flatten(1)

    model, x = PerPixel().eval(), normal(5, 1, 6, 6)
    y = torch.zeros_like(model(x))
    found, exact = diagonals(model, x, y, squared_error, squared_error_curvature)
    assert error(found[0], exact[0]) < 1e-12


def test_residual_sums_pass_to_both_branches_and_gauss_newton_is_never_negative():
    model = seeded(
        nn.Conv2d(1, 2, 3), Residual(), Branches(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(20, 3)
    )
    x, labels = normal(6, 1, 6, 6), torch.arange(6) % 3
    found, exact = diagonals(model, x, labels, cross_entropy_sum, cross_entropy_curvature)
    assert all(bool((f >= 0).all()) for f in found)
    assert error(found[-1], exact[-1]) < 1e-12


def test_a_residual_sum_drops_the_cross_term():
    # y = a·w·x + w·x has ∂²Σy²/∂w² = 2(a + 1)²·x²; branch by branch it is 2(a² + 1)·x².
    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w, self.a = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)

        def forward(self, x):
            z = self.w(x)
            return z + self.a(z)

    model, x = Sum().double(), normal(6, 1)
    found, exact = diagonals(model, x, torch.zeros(6, 1), squared_error, squared_error_curvature)
    a, squares = model.a.weight.item(), float(x.square().mean())
    assert float(exact[0]) == pytest.approx(2 * (a + 1) ** 2 * squares)
    assert float(found[0]) == pytest.approx(2 * (a**2 + 1) * squares)


def test_values_written_over_after_they_were_read():
    class InPlace(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w, self.a = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)

        def forward(self, x):
            z = self.w(x)
            y = self.a(torch.tanh(z.clone() if torch.is_grad_enabled() else z))
            z = z.clone() if torch.is_grad_enabled() else z
            return torch.cat([y, z.add_(5).relu_()], 1)

    model, x = InPlace().double(), normal(6, 4)
    found, exact = diagonals(
        model, x, torch.zeros(6, 8).double(), squared_error, squared_error_curvature
    )
    assert error(found[1], exact[1]) < 1e-12


def test_a_weight_used_twice_adds_up():
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(normal(3, 4))

        def forward(self, x):
            first, second = x.chunk(2, 1)
            return torch.cat([first @ self.weight.t(), -(second @ self.weight.t())], 1)

    model, x = Twice(), normal(5, 8)
    found, exact = diagonals(model, x, normal(5, 6), squared_error, squared_error_curvature)
    assert error(found[0], exact[0]) < 1e-12


def test_batch_sizes_do_not_matter():
    model = seeded(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
    x, labels = normal(7, 4), torch.arange(7) % 3
    weights = list(model.parameters())
    once = backprop_diagonal(model, [(x, labels)], weights)
    parts = backprop_diagonal(model, zip(x.split(2), labels.split(2), strict=True), weights)
    for a, b in zip(once, parts, strict=True):
        torch.testing.assert_close(a, b)


def test_the_estimate_ranks_as_true_deletions_do():
    # Spearman correlation of ½hw² with the change of loss of deleting each weight alone.
    model = seeded(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 8), nn.Tanh(),
        nn.Linear(8, 3),
    )  # fmt: skip
    x, labels = normal(40, 1, 6, 6), torch.arange(40) % 3
    optimiser = torch.optim.LBFGS(model.parameters(), max_iter=60)

    def closure():
        optimiser.zero_grad()
        loss = cross_entropy_sum(model(x), labels) / 40
        loss = loss + 2e-2 * sum(p.square().sum() for p in model.parameters())
        loss.backward()
        return loss

    optimiser.step(closure)
    weight = model[4].weight
    h = backprop_diagonal(model, [(x, labels)], [weight])[0]
    saliency, changes = (h * weight**2 / 2).detach().flatten(), []
    with torch.no_grad():
        whole = cross_entropy_sum(model(x), labels) / 40
        for k in range(weight.numel()):
            kept = float(weight.flatten()[k])
            weight.flatten()[k] = 0
            changes.append(float(cross_entropy_sum(model(x), labels) / 40 - whole))
            weight.flatten()[k] = kept
    ranks = torch.stack([saliency, torch.tensor(changes).double().abs()]).argsort(1).argsort(1)
    assert torch.corrcoef(ranks.double())[0, 1] > 0.6


def test_hutchinson_approaches_the_exact_diagonal():
    model = seeded(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    weights = [p for p in model.parameters() if p.ndim > 1]
    loss = lambda: cross_entropy_sum(model(normal(7, 4)), torch.arange(7) % 3)  # noqa: E731
    generator = torch.Generator().manual_seed(0)
    found = hutchinson_diagonal(loss(), weights, probes=2000, generator=generator)
    for f, e in zip(found, exact_diagonal(loss(), weights), strict=True):
        assert error(f, e) < 0.15


def test_unknown_operators_and_training_norms_are_named():
    model = nn.Sequential(nn.Linear(2, 2), nn.Softmax(1))
    with pytest.raises(PassError, match=r"operator \w*softmax\w*; .*obd-hutchinson"):
        backprop_diagonal(model, [(torch.ones(2, 2), torch.zeros(2).long())], [])
    norm = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Flatten())
    with pytest.raises(PassError, match="evaluation mode"):
        backprop_diagonal(norm.train(), [(torch.ones(2, 1, 1, 1), torch.zeros(2).long())], [])
