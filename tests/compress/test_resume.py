import torch
from torch import nn

from gossamer.compress.prune.gradual import GradualPrune
from gossamer.compress.resume import PassStore


def test_an_empty_folder_restores_nothing(tmp_path):
    model = nn.Linear(2, 2)
    before = model.weight.clone()
    store = PassStore(tmp_path / "none", model, (GradualPrune(),), seed=0)
    assert store.restore(model) == ()
    assert torch.equal(model.weight, before)
    assert not (tmp_path / "none").exists()


def test_the_fingerprint_sees_values_names_and_shapes(tmp_path):
    def parent(model):
        return PassStore(tmp_path, model, (), seed=0).parent

    model = nn.Linear(2, 2)
    first = parent(model)
    assert parent(model) == first
    with torch.no_grad():
        model.weight[0, 0] += 1
    assert parent(model) != first
    assert parent(nn.Sequential(model)) != parent(model)
