from functools import reduce

import pytest
import torch
from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.fractal import LOCAL, DropPath, FractalBlock


def convolutions(columns: int, inputs: int = 2, outputs: int = 3) -> FractalBlock:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return FractalBlock(inputs, outputs, columns, lambda c, k: nn.Conv2d(c, k, 3, padding=1))


@pytest.mark.parametrize("columns", [1, 2, 3, 4, 5])
def test_units_and_depth(columns):
    block = convolutions(columns)
    assert [len(column) for column in block.columns] == [2**c for c in range(columns)]
    assert sum(isinstance(m, nn.Conv2d) for m in block.modules()) == 2**columns - 1


def test_one_column_is_one_unit_and_two_are_the_definition():
    x = torch.randn(2, 2, 5, 5, generator=torch.Generator().manual_seed(0))
    one, two = convolutions(1), convolutions(2)
    torch.testing.assert_close(one(x), one.columns[0][0](x))
    (short,), (first, second) = two.columns
    torch.testing.assert_close(two(x), (short(x) + second(first(x))) / 2)


def test_three_columns_by_hand():
    x = torch.randn(2, 2, 5, 5, generator=torch.Generator().manual_seed(0))
    block = convolutions(3)
    (a,), (b1, b2), (c1, c2, c3, c4) = block.columns
    middle = (b1(x) + c2(c1(x))) / 2
    # The last join is a mean of three columns at once, not a mean of means.
    expected = (a(x) + b2(middle) + c4(c3(middle))) / 3
    torch.testing.assert_close(block(x), expected)


@pytest.mark.parametrize("column", [0, 1, 2, 3])
def test_a_single_column_is_a_plain_network(column):
    block = convolutions(4).train()
    x = torch.randn(3, 2, 5, 5, generator=torch.Generator().manual_seed(0))
    expected = reduce(lambda y, unit: unit(y), block.columns[column], x)
    torch.testing.assert_close(block(x, DropPath.only(column, 3)), expected)


def test_images_of_one_batch_choose_for_themselves():
    block = convolutions(3)
    x = torch.randn(4, 2, 5, 5, generator=torch.Generator().manual_seed(0))
    mixed = block(x, DropPath(torch.tensor([0, 1, 2, LOCAL])))
    for image, column in enumerate((0, 1, 2)):
        alone = block(x[image : image + 1], DropPath.only(column, 1))
        torch.testing.assert_close(mixed[image : image + 1], alone)
    torch.testing.assert_close(mixed[3:], block(x[3:]))  # with probability 0 nothing is dropped


def test_joins_are_means_of_what_stays():
    drop = DropPath.draw(4000, 3, generator=torch.Generator().manual_seed(0))
    weights = drop.weights([0, 1, 2])
    torch.testing.assert_close(weights.sum(0), torch.ones(4000))
    alive = weights > 0
    for image in range(0, 4000, 97):
        mean = 1 / alive[:, image].sum()
        assert (weights[alive[:, image], image] == mean).all()
    assert (alive[:, :2000].sum(0) == 1).all()


def test_local_drops_have_their_probability_and_one_input_stays():
    images = 20_000
    seeded = torch.Generator().manual_seed(0)
    drop = DropPath.draw(images, 2, probability=0.15, global_share=0, generator=seeded)
    alive = drop.weights([0, 1]) > 0
    # Both would be dropped with 0.0225; half of these times each is restored.
    expected = 0.85 + 0.0225 / 2
    assert alive.float().mean(1).tolist() == pytest.approx([expected] * 2, abs=0.01)
    assert alive.any(0).all()
    always = DropPath.draw(50, 2, probability=1.0, global_share=0, generator=seeded)
    assert ((always.weights([0, 1]) > 0).sum(0) == 1).all()


def test_columns_are_drawn_evenly_for_a_share_of_the_batch():
    drop = DropPath.draw(3000, 3, global_share=0.5, generator=torch.Generator().manual_seed(0))
    assert (drop.column[1500:] == LOCAL).all()
    counts = torch.bincount(drop.column[:1500], minlength=3) / 1500
    assert counts.tolist() == pytest.approx([1 / 3] * 3, abs=0.05)


def test_the_same_generator_state_gives_the_same_result():
    block = convolutions(3)
    x = torch.randn(8, 2, 5, 5, generator=torch.Generator().manual_seed(0))

    def run(seed):
        return block(x, DropPath.draw(8, 3, generator=torch.Generator().manual_seed(seed)))

    assert torch.equal(run(1), run(1))
    assert not torch.equal(run(1), run(2))
    assert torch.equal(block(x), block(x))


def test_dropped_inputs_get_no_gradient():
    block = convolutions(3)
    block(torch.ones(2, 2, 5, 5), DropPath.only(1, 2)).sum().backward()
    for column, units in enumerate(block.columns):
        for unit in units:
            assert (unit.weight.grad.abs().sum() > 0) == (column == 1)


def test_needs_a_column():
    with pytest.raises(SpecError, match="at least one column"):
        convolutions(0)
