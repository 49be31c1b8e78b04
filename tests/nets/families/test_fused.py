"""DFN-MR's counts from its definition; the authors' table has 1.7, 14.9 and 24.8 M."""

import pytest
import torch
from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.fused import DeeplyFused, MergeAndRun
from gossamer.nets.create import create_model
from gossamer.nets.registry import NETWORKS

MEMBERS = [name for name in NETWORKS if name.startswith("dfn-")]


@pytest.mark.parametrize("name", MEMBERS)
def test_records_hold_the_cost(name, on_meta, cost):
    record = NETWORKS[name]
    assert cost(on_meta(name), record.input_shape) == (record.params, record.macs)


@pytest.mark.parametrize(
    ("name", "params", "blocks"),
    [
        ("dfn-mr1-cifar", 1_710_426, 27),
        ("dfn-mr2-cifar", 14_851_402, 15),
        ("dfn-mr3-cifar", 24_151_882, 24),
    ],
)
def test_merge_and_run_networks(name, params, blocks, on_meta):
    assert NETWORKS[name].params == params
    model = on_meta(name)
    assert sum(isinstance(m, MergeAndRun) for m in model.modules()) == blocks
    convolutions = [m for m in model.blocks.modules() if isinstance(m, nn.Conv2d)]
    assert sum(m.kernel_size == (3, 3) for m in convolutions) == 4 * blocks


@pytest.mark.parametrize(("name", "paper"), [("dfn-50-14-cifar", 3.7), ("dfn-50-17-cifar", 3.9)])
def test_our_reading_of_dfn_50_has_the_papers_size(name, paper):
    assert round(NETWORKS[name].params / 1e6, 1) == paper


def test_blocks_that_three_does_not_divide(on_meta):
    streams = on_meta("dfn-mr1-cifar", depth=54).blocks[0]  # 13 blocks: 4, 4, 5
    widths = [b.residuals[0].conv1.out_channels for b in [*streams.running, streams.merging]]
    assert widths == [16] * 4 + [32] * 4 + [64] * 5


@pytest.mark.parametrize(
    ("lengths", "fusions", "pieces"),
    [
        ((16, 4), None, [(4, 1)] * 4),
        ((16, 5), None, [(3, 1), (3, 1), (3, 1), (3, 1), (4, 1)]),
        ((6, 2), 1, [(6, 2)]),
        ((3, 3, 2), 2, [(1, 1, 1), (2, 2, 1)]),
    ],
)
def test_base_networks_are_cut_evenly(lengths, fusions, pieces, on_meta):
    model = on_meta("dfn-50-14-cifar", lengths=lengths, fusions=fusions, width=2)
    assert all(isinstance(block, DeeplyFused) for block in model.blocks)
    found = [tuple(len(branch) for branch in block.branches) for block in model.blocks]
    assert found == pieces * 3


@pytest.mark.parametrize("name", ["dfn-50-14-cifar", "dfn-mr1-cifar"])
def test_stages_halve_the_size(name):
    options = {"lengths": (2, 1), "width": 2} if "50" in name else {"depth": 14}
    model = create_model(name, **options).eval()
    x = torch.zeros(1, 3, 32, 32)
    assert model.blocks(model.stem(x)).shape[2:] == (8, 8)
    assert model(torch.zeros(1, 3, 1, 1)).shape == (1, 10)


@pytest.mark.parametrize(
    "options", [{"lengths": ()}, {"lengths": (2, 0)}, {"fusions": 5}, {"fusions": 0}, {"width": 0}]
)
def test_options_of_fused_networks_are_checked(options):
    with pytest.raises(SpecError):
        create_model("dfn-50-14-cifar", **options)


@pytest.mark.parametrize("options", [{"depth": 112}, {"depth": 10}, {"widen": 0}])
def test_options_of_merge_and_run_networks_are_checked(options):
    with pytest.raises(SpecError):
        create_model("dfn-mr1-cifar", **options)
