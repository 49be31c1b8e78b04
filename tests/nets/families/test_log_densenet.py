import pytest
import torch
from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.create import create_model
from gossamer.nets.registry import NETWORKS

MEMBERS = [name for name in NETWORKS if name.startswith("log-densenet-")]


@pytest.mark.parametrize("name", MEMBERS)
def test_records_hold_the_cost(name, on_meta, cost):
    record = NETWORKS[name]
    assert cost(on_meta(name), record.input_shape) == (record.params, record.macs)


@pytest.mark.parametrize(("depth", "base"), [(40, 2), (70, 2), (40, 3)])
def test_parameters_in_closed_form(depth, base, on_meta, cost):
    """All units read by the global pattern; the stem, y_0, has twice the growth rate."""
    k, layers = 12, depth - 4
    widths = [2 * k] + [k] * layers
    read = []
    for layer in range(1, layers + 2):
        offsets = [base**power for power in range(12) if base**power <= layer]
        read.append(sum(widths[layer - offset] for offset in offsets))
    kernels = 9 * k * sum(read[:-1])
    head = 10 * read[-1] + 10
    expected = 27 * 2 * k + kernels + 2 * sum(read) + head
    model = on_meta(MEMBERS[0], depth=depth, growth=k, base=base)
    assert cost(model, (3, 32, 32))[0] == expected


def test_connections_cross_the_stages():
    """With two units a stage, the definition written out by hand."""
    model = create_model(MEMBERS[0], depth=10, growth=2).eval()
    trunk = model.blocks[0]
    u = [trunk.get_submodule(f"unit{n}") for n in range(1, 7)]

    def pooled(*values):
        return [nn.functional.avg_pool2d(value, 2) for value in values]

    y0 = model.stem(torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)))
    y1 = u[0](y0)
    y2 = u[1](torch.cat([y1, y0], 1))
    y0, y1, y2 = pooled(y0, y1, y2)
    y3 = u[2](torch.cat([y2, y1], 1))
    y4 = u[3](torch.cat([y3, y2, y0], 1))
    y1, y2, y3, y4 = pooled(y1, y2, y3, y4)
    y5 = u[4](torch.cat([y4, y3, y1], 1))
    y6 = u[5](torch.cat([y5, y4, y2], 1))
    y = torch.cat([y6, y5, y3], 1)
    x = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(trunk(model.stem(x)), y)


def test_recomputation_and_least_size():
    model = create_model(MEMBERS[0], depth=16, growth=4, checkpoint=3)
    model(torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    assert model.eval()(torch.zeros(1, 3, 4, 4)).shape == (1, 10)


@pytest.mark.parametrize("options", [{"depth": 12}, {"base": 1}, {"growth": 0}])
def test_options_are_checked(options):
    with pytest.raises(SpecError):
        create_model(MEMBERS[0], **options)
