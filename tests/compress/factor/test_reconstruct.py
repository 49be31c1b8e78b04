from copy import deepcopy

import pytest
import torch
from torch import nn

from gossamer.compress.chains import replace_module
from gossamer.compress.factor.reconstruct import fit_last
from gossamer.compress.factor.stage import build_chain
from gossamer.compress.factor.svd import SVD
from gossamer.compress.factor.target import Target
from gossamer.compress.prune.criterion import Evidence


def cut(model: nn.Module, name: str, rank: int) -> nn.Sequential:
    """Replace a layer by its SVD."""
    layer = model.get_submodule(name)
    method = SVD(Target(layer, ((6, 6),)))
    chain = build_chain(method.stages((rank,)), method.weights((rank,)), layer.bias).float()
    replace_module(model, layer, chain)
    return chain


@pytest.fixture
def dense(small_parent) -> nn.Module:
    return deepcopy(small_parent)


@pytest.mark.parametrize("name", ["0", "3", "6"])
def test_the_last_factor_is_the_least_squares_solution(name, dense, small_data):
    model = deepcopy(dense)
    chain = cut(model, name, 1)
    evidence = Evidence(model, small_data.train)
    images = small_data.train.batch(range(100))[0]

    def error():
        index = int(name)
        with torch.no_grad():
            wanted, found = (m[: index + 1](images) for m in (dense, model.eval()))
        return float((wanted - found).square().sum() / wanted.square().sum())

    before = error()
    (left,) = fit_last({name: chain}, dense, evidence, damping=1e-6).values()
    assert error() < before
    assert left == pytest.approx(error(), rel=1e-3, abs=1e-6)
    best = error()
    rng = torch.Generator().manual_seed(0)
    for _ in range(10):
        kept = chain[-1].weight.detach().clone()
        with torch.no_grad():
            chain[-1].weight += 0.05 * torch.randn(kept.shape, generator=rng)
        assert error() > best
        with torch.no_grad():
            chain[-1].weight.copy_(kept)


def test_later_layers_make_up_for_earlier_ones(dense, small_data):
    model = deepcopy(dense)
    chains = {name: cut(model, name, 2) for name in ("0", "6")}
    images = small_data.train.batch(range(100))[0]
    with torch.no_grad():
        before = float((dense(images) - model.eval()(images)).square().mean())
        fit_last(chains, dense, Evidence(model, small_data.train))
        assert float((dense(images) - model(images)).square().mean()) < 0.5 * before


def test_dead_rows_and_hooks(dense, small_data):
    with torch.no_grad():
        dense[3].weight[5] = 0
    model = deepcopy(dense)
    chain = cut(model, "3", 2)
    with torch.no_grad():
        chain[-1].weight[5] = 0
    fit_last({"3": chain}, dense, Evidence(model, small_data.train))
    assert (chain[-1].weight[5] == 0).all()
    assert torch.isfinite(chain[-1].weight).all()
    for module in (*model.modules(), *dense.modules()):
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
