from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn

import gossamer
from gossamer.compress.cluster.share import ShareWeights
from gossamer.compress.compress import compress
from gossamer.compress.contract import Context
from gossamer.compress.factor.factor import Factor
from gossamer.compress.prune.one_shot import Prune
from gossamer.compress.quantise.layers import RoundedConv2d, RoundedInput, RoundedLinear
from gossamer.compress.quantise.quantise import QuantiseLayers
from gossamer.errors import PassError
from gossamer.graph.interpret import interpret
from gossamer.graph.ops import Conv2d, Linear, Quantise
from gossamer.graph.quantise import quantise
from gossamer.train.recipe import Recipe

SHORT = Recipe(epochs=1, batch_size=10, learning_rate=0.01)
ALL = [
    {},
    {"bits": 4, "calibration": "percentile"},
    {"bits": 5, "rounding": "learned", "steps": 20, "calibration": "minmax"},
    {"inputs": True},
    {"bits": 6, "inputs": True, "training": SHORT},
]


def layers(graph):
    return [node for node in graph.nodes if isinstance(node.op, Conv2d | Linear)]


@pytest.mark.parametrize("options", ALL)
def test_module_graph_and_program_agree(small_parent, small_data, small_example, options):
    step = QuantiseLayers(**options)
    result = compress(small_parent, small_example, [step], data=small_data, progress=False)
    graph = gossamer.export(result.model, small_example)
    for node in layers(graph):
        weight = graph.weights[node.weights["weight"]]
        assert weight.kind == "quantised"
        assert weight.bits <= step.bits
    roundings = [node for node in graph.nodes if isinstance(node.op, Quantise)]
    assert len(roundings) == (3 if step.inputs else 0)
    images = small_data.test.batch(np.arange(30))[0]
    with torch.no_grad():
        expected = result.model(images).numpy()
    size = np.abs(expected).max()
    # A value between two levels may fall to either: the last layer's inputs differ by a step.
    allowed = 0.02 * size if step.inputs else 1e-5 * size
    found = interpret(graph, images.numpy())
    np.testing.assert_allclose(found, expected, rtol=0, atol=allowed)
    program = gossamer.compile(graph, threads=1)
    np.testing.assert_allclose(program(images.numpy()), found, rtol=0, atol=allowed)


def test_integers_run_as_integers(small_parent, small_data, small_example):
    step = QuantiseLayers(inputs=True)
    model = step.apply(deepcopy(small_parent), Context(small_example, small_data, progress=False))
    program = gossamer.compile(gossamer.export(model, small_example), threads=1)
    kernels = str(program.explain())
    assert kernels.count("u8-conv") >= 2
    assert "u8-linear" in kernels


def test_the_files_of_both_say_the_same(small_parent, small_data, small_example, tmp_path):
    step = QuantiseLayers(bits=4, inputs=True)
    model = step.apply(deepcopy(small_parent), Context(small_example, small_data, progress=False))
    graph = gossamer.export(model, small_example)
    path = gossamer.save(graph, tmp_path / "net.goss")
    assert gossamer.load(path) == graph
    plain = gossamer.save(gossamer.export(small_parent, small_example), tmp_path / "plain.goss")
    assert path.stat().st_size < 0.7 * plain.stat().st_size


def test_values_of_the_graph_can_be_rounded_afterwards(small_parent, small_data, small_example):
    step = QuantiseLayers(bits=4, rounding="learned", steps=5)
    model = step.apply(deepcopy(small_parent), Context(small_example, small_data, progress=False))
    graph = gossamer.export(model, small_example)
    rounded = quantise(graph, small_data.train.batch(np.arange(20))[0].numpy())
    for before, after in zip(layers(graph), layers(rounded), strict=True):
        weights = [g.weights[n.weights["weight"]] for g, n in ((graph, before), (rounded, after))]
        assert np.array_equal(weights[0].integers, weights[1].integers)
        assert weights[1].bits <= 4


def test_zeros_stay_and_rounding_makes_more(small_parent, small_data, small_example):
    context = Context(small_example, small_data, progress=False)
    for options in ALL:
        model = Prune(0.5).apply(deepcopy(small_parent), context)
        dead = [layer.weight == 0 for layer in (model[0], model[3], model[6])]
        QuantiseLayers(**options).apply(model, context)
        for layer, zeros in zip((model[0], model[3], model[6]), dead, strict=True):
            assert (layer.weight[zeros] == 0).all()


def test_fewer_bits_more_noise(small_parent, small_example):
    shares = []
    for bits in (8, 6, 4, 2):
        told = {}
        context = Context(small_example, tell=told.__setitem__)
        QuantiseLayers(bits).apply(deepcopy(small_parent), context)
        shares.append(told["largest_noise_share"])
    assert shares[0] < 1e-3
    # Two bits fewer are steps four times as large, and sixteen times the noise.
    assert shares == sorted(shares)
    assert 8 < shares[1] / shares[0] < 32


def test_training_moves_weights_on_the_grid(small_parent, small_data, small_example):
    context = Context(small_example, small_data, progress=False)
    fixed = QuantiseLayers(3).apply(deepcopy(small_parent), context)
    longer = Recipe(epochs=3, batch_size=10, learning_rate=0.1)
    trained = QuantiseLayers(3, training=longer).apply(deepcopy(small_parent), context)
    for index in (0, 3, 6):
        before, after = fixed[index].weight, trained[index].weight
        assert not torch.equal(before, after)
        for row, other in zip(before, after, strict=True):
            scale = row[row != 0].abs().min()
            steps = other / scale
            torch.testing.assert_close(steps, steps.round(), rtol=0, atol=1e-4)


def test_rounded_layers_are_layers(small_parent, small_data, small_example):
    step = QuantiseLayers(inputs=True)
    model = step.apply(deepcopy(small_parent), Context(small_example, small_data, progress=False))
    assert [type(model[i]) for i in (0, 3, 6)] == [RoundedConv2d, RoundedConv2d, RoundedLinear]
    parameters = dict(small_parent.named_parameters())
    assert {n: p.shape for n, p in model.named_parameters()} == {
        n: p.shape for n, p in parameters.items()
    }
    again = step.apply(model, Context(small_example, small_data, progress=False))
    assert type(again[0]) is RoundedConv2d


def test_values_that_several_layers_read_are_rounded_once(small_data, small_example):
    class Fork(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(1, 4, 3), nn.Conv2d(1, 4, 3)
            self.head = nn.Linear(4, 2)

        def forward(self, x):
            return self.head((self.a(x) + self.b(x)).mean((2, 3)))

    torch.manual_seed(0)
    step = QuantiseLayers(inputs=True)
    model = step.apply(Fork().eval(), Context(small_example, small_data, progress=False))
    graph = gossamer.export(model, small_example)
    assert sum(isinstance(node.op, Quantise) for node in graph.nodes) == 2


def test_layers_of_another_class_keep_their_inputs(small_data, small_example):
    class Own(nn.Linear):
        pass

    told = {}
    context = Context(small_example, small_data, progress=False, tell=told.__setitem__)
    model = QuantiseLayers(inputs=True).apply(nn.Sequential(nn.Flatten(), Own(36, 2)), context)
    assert type(model[1]) is Own
    assert told["1"] == "its input is not rounded: it is a Own"
    assert told["rounded_inputs"] == 0


@pytest.mark.parametrize("other", [Prune(0.3), Factor(amount=0.2, training=Recipe(epochs=0))])
def test_an_interrupted_run_goes_on(small_parent, small_data, small_example, tmp_path, other):
    passes = [QuantiseLayers(inputs=True), other]

    def run(recipe, resume):
        return compress(
            small_parent, small_example, recipe, data=small_data, progress=False,
            checkpoint=tmp_path, resume=resume,
        ).model  # fmt: skip

    whole = run(passes, False)
    finished = run(passes, True)
    (tmp_path / f"pass-1-{other.name}.safetensors").unlink()
    again = run(passes, True)
    assert sum(isinstance(module, RoundedInput) for module in whole.modules()) == 3
    assert str(finished) == str(again) == str(whole)
    assert all(
        torch.equal(value, again.state_dict()[key]) for key, value in whole.state_dict().items()
    )
    assert torch.equal(again(small_example), whole(small_example))
    assert torch.equal(finished(small_example), whole(small_example))


def test_deep_compression_then_integers(small_parent, small_data, small_example):
    passes = [Prune(0.5), ShareWeights(3, training=SHORT), QuantiseLayers(8, inputs=True)]
    result = compress(small_parent, small_example, passes, data=small_data, progress=False)
    shared, rounded = (entry.after.layers for entry in result.ledger.entries[1:])
    for before, after in zip(shared, rounded, strict=True):
        assert after.nonzeros <= before.nonzeros


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"bits": 1}, "bits out of range"),
        ({"bits": 9}, "bits out of range"),
        ({"calibration": "best"}, "unknown calibration"),
        ({"input_calibration": "best"}, "unknown input_calibration"),
        ({"rounding": "up"}, "unknown rounding"),
        ({"percentile": 20}, "percentile out of range"),
        ({"steps": 0}, "steps out of range"),
        ({"images": 0}, "images out of range"),
        ({"include": ("nothing",)}, "no layer matches"),
        ({"training": SHORT}, "retraining needs data"),
        ({"inputs": True}, "looking at pictures needs data"),
        ({"rounding": "learned"}, "looking at pictures needs data"),
    ],
)
def test_the_impossible_is_refused(small_parent, small_example, options, problem):
    with pytest.raises(PassError, match=f"quantise: {problem}"):
        QuantiseLayers(**options).check(small_parent, Context(small_example))
