"""33.7 M parameters, as another toolkit has; the 38.6 M that the paper prints fit no reading."""

import pytest
import torch
from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.fractal import DropPath
from gossamer.nets.create import create_model
from gossamer.nets.registry import NETWORKS

NAME = "fractalnet-21-cifar"
SMALL = {"widths": (4, 8), "dropout": (0.0, 0.0)}


def images(n: int = 4) -> torch.Tensor:
    return torch.randn(n, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def test_cost(on_meta, cost):
    record, model = NETWORKS[NAME], on_meta(NAME)
    assert cost(model, (3, 32, 32)) == (33_724_618, 845_222_912) == (record.params, record.macs)
    weights = sum(p.numel() for n, p in model.named_parameters() if "norm" not in n)
    assert weights - model.head.bias.numel() == 33_704_000
    convolutions = [m for m in model.blocks.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 5 * 7


def test_evaluation_takes_all_paths_and_repeats_itself():
    model = create_model(NAME, **SMALL).eval()
    assert torch.equal(model(images()), model(images()))
    assert not torch.equal(model(images()), model(images(), DropPath.only(0, 4)))


def test_training_draws_paths_from_the_global_generator():
    model = create_model(NAME, **SMALL).train()
    outputs = []
    with torch.random.fork_rng():
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            outputs.append(model(images(16)))
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])


@pytest.mark.parametrize("column", [0, 1, 2])
def test_a_column_goes_through_the_whole_network(column):
    model = create_model(NAME, **SMALL).eval()
    x = images()
    for block in model.blocks:
        for unit in block.columns[column]:
            x = unit(x)
        x = model.pool(x)
    expected = model.head(x.mean((2, 3)))
    torch.testing.assert_close(model(images(), DropPath.only(column, 4)), expected)


def test_without_drop_path_training_takes_all_paths():
    model = create_model(NAME, drop_path=0.0, global_share=0.0, **SMALL).train()
    expected = model(images(), DropPath(torch.full((4,), -1)))
    torch.testing.assert_close(model(images()), expected)


def test_dropout_grows_with_the_block(on_meta):
    model = on_meta(NAME)
    rates = [{m.p for m in b.modules() if isinstance(m, nn.Dropout)} for b in model.blocks]
    assert rates == [set(), {0.1}, {0.2}, {0.3}, {0.4}]


def test_least_size():
    model = create_model(NAME, widths=(2,) * 5).eval()
    assert model(torch.zeros(1, 3, 32, 32)).shape == (1, 10)
    with pytest.raises(RuntimeError):
        model(torch.zeros(1, 3, 31, 31))


@pytest.mark.parametrize(
    "options",
    [
        {"widths": ()},
        {"widths": (4, 4)},
        {"widths": (4, 4, 4, 4, 0)},
        {"columns": 0},
        {"drop_path": 1.5},
        {"global_share": -1},
    ],
)
def test_options_are_checked(options):
    with pytest.raises(SpecError):
        create_model(NAME, **options)
