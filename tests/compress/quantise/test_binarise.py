from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn

import gossamer
from gossamer.compress.compress import compress
from gossamer.compress.contract import Context
from gossamer.compress.prune.one_shot import Prune
from gossamer.compress.quantise.binarise import Binarise
from gossamer.compress.quantise.few_values import METHODS
from gossamer.compress.quantise.layers import SignConv2d
from gossamer.errors import PassError
from gossamer.graph.interpret import interpret
from gossamer.graph.ops import Quantise
from gossamer.train.evaluate import accuracy
from gossamer.train.recipe import Recipe

NOTHING = Recipe(epochs=0)
SHORT = Recipe(epochs=2, batch_size=10, optimiser="adamw", learning_rate=0.01, weight_decay=0.0)
LONGER = Recipe(epochs=6, batch_size=10, optimiser="adamw", learning_rate=0.01, weight_decay=0.0)


@pytest.mark.parametrize("method", list(METHODS))
def test_few_values_and_codebooks(small_parent, small_data, small_example, method):
    step = Binarise(method, ends=True, training=SHORT)
    result = compress(small_parent, small_example, [step], data=small_data, progress=False)
    values = 3 if method == "twn" else 2
    assert result.ledger.entries[0].got["values"] == values
    graph = gossamer.export(result.model, small_example)
    for name in ("0", "3", "6"):
        node = next(n for n in graph.nodes if n.name == name)
        weight = graph.weights[node.weights["weight"]]
        assert weight.kind == "codebook"
        assert len(weight.centroids) == 2  # zero needs no entry
        if method in ("bwn", "xnor"):
            assert weight.centroids.tolist() == [-1, 1]
            assert "scale" in node.weights
    signs = sum(isinstance(node.op, Quantise) for node in graph.nodes)
    assert signs == (3 if method == "xnor" else 0)
    images = small_data.test.batch(np.arange(30))[0]
    with torch.no_grad():
        expected = result.model(images).numpy()
    found = interpret(graph, images.numpy())
    size = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * size)
    program = gossamer.compile(graph, threads=1)
    np.testing.assert_allclose(program(images.numpy()), found, rtol=0, atol=1e-5 * size)


@pytest.mark.parametrize("method", list(METHODS))
def test_training_brings_accuracy_back(small_parent, small_data, small_example, method):
    context = Context(small_example, small_data, progress=False)
    model = Binarise(method, training=LONGER).apply(deepcopy(small_parent), context)
    assert accuracy(model, small_data.test) >= 0.9


def test_the_ends_are_left_alone_unless_asked(small_parent, small_data, small_example):
    context = Context(small_example, small_data, progress=False)
    model = Binarise("xnor", training=NOTHING).apply(deepcopy(small_parent), context)
    assert torch.equal(model[0].weight, small_parent[0].weight)
    assert torch.equal(model[6].weight, small_parent[6].weight)
    assert type(model[0]) is nn.Conv2d
    assert type(model[3]) is SignConv2d
    assert torch.equal(model[3].weight.sign(), small_parent[3].weight.sign())


@pytest.mark.parametrize("method", list(METHODS))
def test_pruned_weights_stay_zero(small_parent, small_data, small_example, method):
    context = Context(small_example, small_data, progress=False)
    model = Prune(0.5).apply(deepcopy(small_parent), context)
    dead = model[3].weight == 0
    step = Binarise(method, ends=True, training=SHORT)
    step.apply(model, context)
    assert (model[3].weight[dead] == 0).all()
    if method != "twn":
        assert (model[3].weight[~dead] != 0).all()
    gossamer.export(model, small_example)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"method": "ternary"}, "unknown method"),
        ({"include": ("nothing",)}, "no layer matches"),
        ({"include": ("0", "6")}, "no layer matches but the first and the last"),
        ({"training": SHORT}, "retraining needs data"),
    ],
)
def test_the_impossible_is_refused(small_parent, small_example, options, problem):
    with pytest.raises(PassError, match=f"binarise: {problem}"):
        Binarise(**{"training": NOTHING, **options}).check(small_parent, Context(small_example))


def test_signs_need_plain_layers(small_example):
    class Own(nn.Linear):
        pass

    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 4), Own(4, 4), nn.Linear(4, 2))
    with pytest.raises(PassError, match="binarise, layer 2: only plain layers can read signs"):
        Binarise("xnor", training=NOTHING).check(model, Context(small_example))


def test_layers_that_read_one_sign_only_are_told(small_data, small_example):
    """What a sigmoid gives is positive everywhere; what a ReLU gives is not, and zero counts so."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.Sigmoid(), nn.Flatten(),
        nn.Linear(16, 2),
    ).eval()  # fmt: skip
    told: dict = {}
    context = Context(small_example, small_data, tell=told.__setitem__)
    Binarise("xnor", ends=True, training=NOTHING).apply(model, context)
    assert told == {"5": "100.0% of the signs that it reads are positive"}
