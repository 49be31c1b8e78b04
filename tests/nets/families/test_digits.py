import pytest
import torch
from torch import nn

from gossamer.nets.create import create_model


@pytest.mark.parametrize("name", ["digits-plain", "digits-igc"])
def test_small_with_a_step_down(name):
    model = create_model(name)
    convs = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert 110_000 <= sum(p.numel() for p in model.parameters()) <= 150_000
    assert any(conv.stride == (2, 2) for conv in convs)
    assert model.blocks(model.stem(torch.zeros(1, 1, 8, 8))).shape[2:] == (4, 4)


def test_interleaved_has_both_kinds_of_groups():
    groups = {m.groups for m in create_model("digits-igc").modules() if isinstance(m, nn.Conv2d)}
    assert groups == {1, 8, 24}
