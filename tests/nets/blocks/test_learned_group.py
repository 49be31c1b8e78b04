import pytest
import torch
from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.learned_group import (
    ChannelSelect,
    LearnedGroupConv,
    condensation_stage,
    condense_to,
    index_form,
    select_features,
    to_index_form,
)

CASES = [(8, 8, 2, 2), (16, 8, 4, 4), (24, 12, 3, 4), (16, 16, 2, 8), (8, 4, 1, 4), (8, 6, 2, 1)]


def layer_of(inputs: int, outputs: int, groups: int, factor: int) -> LearnedGroupConv:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LearnedGroupConv(inputs, outputs, groups=groups, factor=factor)


def picture(channels: int) -> torch.Tensor:
    return torch.randn(2, channels, 3, 4, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("case", CASES)
def test_each_step_drops_the_weakest_inputs_of_each_group(case):
    inputs, outputs, groups, factor = case
    layer = layer_of(*case)
    weight = layer.weight.detach().reshape(outputs, inputs)
    for stage in range(factor):
        assert stage == 0 or layer.stage == stage - 1
        layer.condense_to(stage)
        assert layer.stage == stage
        kept = inputs - stage * inputs // factor
        for group in range(groups):
            rows = range(group, outputs, groups)
            strength = {i: sum(abs(float(weight[r, i])) for r in rows) for i in range(inputs)}
            strongest = sorted(strength, key=strength.__getitem__)[inputs - kept :]
            assert layer.kept_inputs()[group] == sorted(strongest)
            for row in rows:
                assert layer.mask[row].flatten().nonzero().flatten().tolist() == sorted(strongest)


@pytest.mark.parametrize("case", CASES)
def test_index_form_is_the_same_function(case):
    layer = layer_of(*case)
    layer.condense_to(layer.factor - 1)
    form = layer.to_index_form()
    torch.testing.assert_close(form(picture(case[0])), layer(picture(case[0])))
    weights = sum(p.numel() for p in form.parameters())
    assert weights == case[0] * case[1] // case[3]


def test_what_is_dropped_stays_dropped_and_learns_nothing():
    layer = layer_of(16, 8, 4, 4)
    layer.condense_to(1)
    first = layer.mask.clone()
    with torch.no_grad():
        layer.weight += 10 * (1 - first)  # however strong it becomes
    layer(picture(16)).square().sum().backward()
    assert torch.equal(layer.weight.grad != 0, first.bool())
    layer.condense_to(2)
    assert (layer.mask <= first).all()
    layer.condense_to(1)
    assert layer.stage == 2


def test_the_stage_survives_a_state_dict():
    a, b = layer_of(16, 8, 4, 4), layer_of(16, 8, 4, 4)
    a.condense_to(2)
    b.load_state_dict(a.state_dict())
    assert b.stage == 2
    assert b.kept_inputs() == a.kept_inputs()


def test_group_lasso_by_its_formula():
    layer = layer_of(4, 6, 2, 2)
    weight = layer.weight.detach().reshape(6, 4)
    expected = sum(weight[g::2, j].square().sum().sqrt() for g in range(2) for j in range(4))
    torch.testing.assert_close(layer.group_lasso().detach(), expected)
    layer.condense_to(1)
    assert layer.group_lasso() < expected


def test_schedule_ends_at_half_of_training():
    stages = [condensation_stage(epoch / 300, 4) for epoch in range(300)]
    assert [stages.index(stage) for stage in range(4)] == [0, 50, 100, 150]
    assert {condensation_stage(p / 10, 1) for p in range(11)} == {0}


def test_whole_models_are_condensed_and_replaced():
    model = nn.Sequential(layer_of(8, 8, 2, 2), nn.Sequential(nn.ReLU(), layer_of(8, 4, 2, 2)))
    with pytest.raises(SpecError, match=r"not yet condensed.*stage 0.*stage 1"):
        to_index_form(model)
    condense_to(model, 1)
    expected = model(picture(8))
    to_index_form(model)
    assert not [m for m in model.modules() if isinstance(m, LearnedGroupConv)]
    torch.testing.assert_close(model(picture(8)), expected)


def test_selected_features_are_the_strongest():
    linear = nn.Linear(6, 3)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([1.0, -9, 3, 0, 5, -2]).expand(3, 6))
    smaller = select_features(linear, 3)
    assert smaller.select.index.tolist() == [1, 2, 4]
    x = picture(6)[:, :, 0, 0]
    cut = x * torch.tensor([0.0, 1, 1, 0, 1, 0])
    torch.testing.assert_close(smaller(x), linear(cut))


def test_selected_features_without_a_bias():
    assert select_features(nn.Linear(4, 2, bias=False), 2).linear.bias is None


def test_selection_repeats_and_skips():
    assert ChannelSelect([1, 1, 0])(picture(3)).equal(picture(3)[:, [1, 1, 0]])


def test_default_index_gives_each_group_as_many_inputs():
    form = index_form(12, 4, groups=4, factor=3)
    assert form.select.index.tolist() == [*range(12), *range(4)]


@pytest.mark.parametrize("case", [(7, 8, 2, 2), (8, 7, 2, 2), (8, 8, 0, 2), (8, 8, 2, 0)])
def test_widths_must_be_multiples(case):
    with pytest.raises(SpecError, match="must divide"):
        LearnedGroupConv(case[0], case[1], groups=case[2], factor=case[3])


@pytest.mark.parametrize("stage", [-1, 4])
def test_stages_are_limited(stage):
    with pytest.raises(SpecError, match="no such condensation stage"):
        layer_of(16, 8, 4, 4).condense_to(stage)
