from math import ceil, prod

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gossamer.compress.prune.allocation import ALLOCATIONS, best, erk_densities, keep_best

# Few different scores, so that ties are the rule.
layers = st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=30), min_size=1, max_size=4)
fractions = st.integers(0, 99).map(lambda percent: percent / 100)


def scores_of(sizes) -> dict[str, torch.Tensor]:
    return {str(i): torch.tensor(values, dtype=torch.float32) for i, values in enumerate(sizes)}


@given(values=st.lists(st.integers(-3, 3), min_size=1, max_size=40), data=st.data())
def test_best_is_exact_and_takes_the_first_of_equals(values, data):
    count = data.draw(st.integers(1, len(values)))
    order = sorted(range(len(values)), key=lambda i: (-values[i], i))[:count]
    mask = best(torch.tensor(values, dtype=torch.float32), count)
    assert mask.nonzero().flatten().tolist() == sorted(order)


@given(sizes=layers, sparsity=fractions)
def test_global_keeps_an_exact_number_of_the_best(sizes, sparsity):
    scores = scores_of(sizes)
    masks = keep_best(scores, sparsity, "global", 0.0)
    total = sum(s.numel() for s in scores.values())
    kept = sum(int(m.sum()) for m in masks.values())
    assert kept == max(len(scores), total - round(sparsity * total))
    # Beyond each layer's own best, no removed score exceeds a kept one.
    beyond = [s[m & ~best(s, 1)] for s, m in zip(scores.values(), masks.values(), strict=True)]
    removed = [s[~m] for s, m in zip(scores.values(), masks.values(), strict=True)]
    beyond, removed = torch.cat(beyond), torch.cat(removed)
    if beyond.numel() and removed.numel():
        assert beyond.min() >= removed.max()


@given(sizes=layers, sparsity=fractions)
def test_uniform_keeps_the_same_fraction_everywhere(sizes, sparsity):
    scores = scores_of(sizes)
    for name, mask in keep_best(scores, sparsity, "uniform", 0.0).items():
        size = scores[name].numel()
        assert int(mask.sum()) == max(1, size - round(sparsity * size))


@pytest.mark.parametrize("allocation", ALLOCATIONS)
@given(sizes=layers, sparsity=fractions, floor=fractions)
def test_no_layer_falls_below_its_guard(allocation, sizes, sparsity, floor):
    scores = scores_of(sizes)
    for name, mask in keep_best(scores, sparsity, allocation, floor).items():
        assert int(mask.sum()) >= max(1, ceil(floor * scores[name].numel()))


def test_masks_have_the_shapes_of_the_scores():
    scores = {"a": torch.rand(2, 3, 1, 1), "b": torch.rand(4, 5)}
    for allocation in ALLOCATIONS:
        masks = keep_best(scores, 0.5, allocation, 0.0)
        assert {n: m.shape for n, m in masks.items()} == {n: s.shape for n, s in scores.items()}


def test_a_layer_of_small_weights_survives_global_ranking():
    scores = {"small": torch.full((100,), 1e-6), "large": torch.arange(1.0, 901)}
    masks = keep_best(scores, 0.9, "global", 0.05)
    assert (int(masks["small"].sum()), int(masks["large"].sum())) == (5, 95)


# ResNet-50 at 90 %: the sparsity of each layer in percent, in torchvision's order, the shortcut of
# a stage's first unit behind its last convolution (published with STR, Kusupati et al. 2020).
ERK_RESNET50 = """
    58 0 82 4 4 4 82 4 4 82 4 43 91 52 71 52 91 52 52 91 52 52 91 52 71 96 76 86 76 96 76 76
    96 76 76 96 76 76 96 76 76 96 76 86 98 88 93 88 98 88 88 98 88 93"""


def resnet50_shapes() -> dict[str, tuple[int, ...]]:
    shapes = {"stem": (64, 3, 7, 7)}
    channels = 64
    for stage, count in enumerate((3, 4, 6, 3)):
        width = 64 * 2**stage
        for unit in range(count):
            name = f"{stage}.{unit}"
            shapes[f"{name}.1"] = (width, channels, 1, 1)
            shapes[f"{name}.2"] = (width, width, 3, 3)
            shapes[f"{name}.3"] = (4 * width, width, 1, 1)
            if not unit:
                shapes[f"{name}.shortcut"] = (4 * width, channels, 1, 1)
            channels = 4 * width
    return {**shapes, "head": (1000, 2048)}


def test_erk_of_resnet50_is_the_published_vector():
    densities = erk_densities(resnet50_shapes(), 0.9)
    found = [round(100 * (1 - density)) for density in densities.values()]
    assert found == [int(word) for word in ERK_RESNET50.split()]


@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.8, 0.9, 0.965, 0.999])
def test_erk_meets_the_budget(sparsity):
    shapes = resnet50_shapes()
    sizes = {name: prod(shape) for name, shape in shapes.items()}
    densities = erk_densities(shapes, sparsity)
    assert sum(sizes.values()) == 25_502_912
    kept = sum(densities[name] * sizes[name] for name in shapes)
    assert kept == pytest.approx((1 - sparsity) * sum(sizes.values()))
    assert all(0 < density <= 1 for density in densities.values())


# Bytes of README's table of RigL: float32 nonzeros, biases and norms, and one bit a weight of each
# layer that is not dense.
@pytest.mark.parametrize(
    ("sparsity", "megabytes"), [(0.0, 102.122), (0.8, 23.684), (0.9, 13.499), (0.95, 8.399)]
)
def test_sizes_with_erk_are_those_of_rigl(sparsity, megabytes):
    shapes = resnet50_shapes()
    densities = erk_densities(shapes, sparsity)
    sizes = {name: prod(shape) for name, shape in shapes.items()}
    nonzeros = sum(densities[name] * size for name, size in sizes.items())
    bits = sum(size for name, size in sizes.items() if densities[name] < 1)
    assert (4 * (nonzeros + 27_560) + bits / 8) / 1e6 == pytest.approx(megabytes, abs=1e-3)


@pytest.mark.parametrize(
    ("sparsity", "megabytes"),
    [(0.8, 23.729), (0.9, 13.532), (0.95, 8.433), (0.965, 6.904), (0.99, 4.354)],
)
def test_sizes_with_a_dense_first_layer_are_those_of_rigl(sparsity, megabytes):
    sizes = [prod(shape) for shape in resnet50_shapes().values()]
    first, rest = sizes[0], sum(sizes[1:])
    nonzeros = first + (1 - sparsity) * rest
    assert (4 * (nonzeros + 27_560) + rest / 8) / 1e6 == pytest.approx(megabytes, abs=1.2e-3)


@pytest.mark.parametrize(
    ("kind", "sparsity", "macs"),
    [("erk", 0.8, 0.414), ("erk", 0.9, 0.242), ("erk", 0.95, 0.122),
     ("uniform", 0.8, 0.223), ("uniform", 0.9, 0.126), ("uniform", 0.95, 0.077)],
)  # fmt: skip
def test_effective_macs_are_those_of_rigl(kind, sparsity, macs):
    """Uniform with a dense first layer."""
    densities = erk_densities(resnet50_shapes(), sparsity)
    if kind == "uniform":
        densities = dict.fromkeys(densities, 1 - sparsity) | {"stem": 1.0}
    uses = {"stem": 112**2, "head": 1}
    for name in densities:
        if name not in uses:
            stage, unit, layer = name.split(".")
            # The stride is in the 3×3: the 1×1 before it still sees the larger picture.
            before = layer == "1" and unit == "0" and stage != "0"
            uses[name] = (56 // 2 ** (int(stage) - before)) ** 2
    total = {name: prod(shape) * uses[name] for name, shape in resnet50_shapes().items()}
    assert sum(total.values()) == 4_089_184_256
    found = sum(densities[name] * total[name] for name in total) / sum(total.values())
    assert found == pytest.approx(macs, abs=1e-3)


def test_erk_masks_have_the_densities():
    scores = {"a": torch.rand(8, 8, 3, 3), "b": torch.rand(20, 30), "c": torch.rand(4, 4)}
    wanted = erk_densities({name: score.shape for name, score in scores.items()}, 0.7)
    for name, mask in keep_best(scores, 0.7, "erk", 0.0).items():
        assert int(mask.sum()) == round(wanted[name] * mask.numel())
