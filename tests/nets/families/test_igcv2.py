import pytest
from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.connectivity.composite import composite_sparsity, links_of

CIFAR = (3, 32, 32)


@pytest.mark.parametrize(
    ("options", "params"),
    [
        ({"width": 416}, 640_234),
        ({"width": 416, "layers": "each-stage"}, 760_042),
        ({"width": 80, "depth": 8}, 44_730),
    ],
)
def test_exact_totals_of_the_star_networks(on_meta, cost, options, params):
    # The paper prints 0.65 M for C416, which is the first reading.
    assert cost(on_meta("igcv2-star-c416-d20", **options), CIFAR)[0] == params


def test_star_beats_igcv1_of_its_trio(on_meta, cost):
    igcv1 = on_meta("igcv1-l24m2-d20", depth=8)
    assert cost(igcv1, CIFAR)[0] == 48_442


@pytest.mark.parametrize(
    ("name", "layers", "sparsities"),
    [
        ("igcv2-star-c416-d20", [3, 3, 3], [0, 1 - 512 / 832, 1 - 512 / 1664]),
        ("igcv2-star-c416-d20-dense", [3, 4, 4], [0, 0, 0]),
    ],
)
def test_layers_and_zeros_of_each_stage(on_meta, name, layers, sparsities):
    blocks = on_meta(name).blocks[5::6]
    pointwise = [sum(isinstance(m, nn.Conv2d) for m in block) - 1 for block in blocks]
    assert pointwise == layers
    found = [composite_sparsity(links_of(block)) for block in blocks]
    assert found == pytest.approx(sparsities)


def test_each_stage_has_the_fewest_layers_that_suffice(on_meta):
    for width, count in ((8, 1), (16, 2), (64, 2), (72, 3), (512, 3), (520, 4)):
        block = on_meta("igcv2-star-c416-d20", width=width, depth=5).blocks[0]
        assert sum(isinstance(m, nn.Conv2d) for m in block) - 1 == count


@pytest.mark.parametrize(
    ("width_multiplier", "paper_params", "paper_macs"),
    [(1.0, 4.1e6, 564e6), (0.5, 1.3e6, 156e6), (0.25, 0.5e6, 46e6)],
)
def test_our_reading_of_the_mobile_network_is_near_the_papers_figures(
    on_meta, cost, width_multiplier, paper_params, paper_macs
):
    model = on_meta("igcv2-1.0", width_multiplier=width_multiplier)
    params, macs = cost(model, (3, 224, 224))
    assert params == pytest.approx(paper_params, rel=0.1)
    assert macs == pytest.approx(paper_macs, rel=0.03)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("igcv2-star-c416-d20", {"depth": 19}),
        ("igcv2-star-c416-d20", {"layers": "some"}),
        ("igcv2-star-c416-d20", {"group_size": 1}),
        ("igcv2-star-c416-d20", {"width": 12}),
        ("igcv2-1.0", {"groups": 0}),
        ("igcv2-1.0", {"groups": 3}),
        ("igcv2-1.0", {"width_multiplier": 0.1}),
    ],
)
def test_options_out_of_range(on_meta, name, options):
    with pytest.raises(SpecError):
        on_meta(name, **options)
