import pytest
import torch

from gossamer.errors import SpecError


@pytest.mark.parametrize(("version", "params"), [("1.0", 1_248_424), ("1.1", 1_235_496)])
def test_exact_totals(on_meta, version, params):
    model = on_meta("squeezenet-1.1", version=version)
    assert sum(p.numel() for p in model.parameters()) == params


@pytest.mark.parametrize(("version", "pools"), [("1.0", (1, 4, 8)), ("1.1", (1, 3, 5))])
def test_pools_follow_the_layers_of_the_paper(on_meta, version, pools):
    names = [name for name, _ in on_meta(f"squeezenet-{version}").features.named_children()]
    assert tuple(int(n.removeprefix("pool")) for n in names if n.startswith("pool")) == pools
    for number in pools[1:]:
        assert names.index(f"pool{number}") == names.index(f"fire{number}") + 1


def test_sizes_of_version_1_0(on_meta):
    # Those that table 1 of the paper prints for 224×224 are those of 227×227.
    x, sizes = torch.zeros(1, 3, 227, 227, device="meta"), []
    for layer in on_meta("squeezenet-1.0").features:
        x = layer(x)
        if not sizes or x.shape[2] != sizes[-1]:
            sizes.append(x.shape[2])
    assert sizes == [111, 55, 27, 13]


@pytest.mark.parametrize("options", [{"version": "1.2"}, {"dropout": -0.1}])
def test_options_out_of_range(on_meta, options):
    with pytest.raises(SpecError, match="out of range"):
        on_meta("squeezenet-1.1", **options)
