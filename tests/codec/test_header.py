import json

import pytest

from gossamer.codec.header import describe, outline, weight_names
from gossamer.codec.limits import Budget, Limits
from gossamer.errors import FormatError, GraphError, LimitExceededError, SpecError


def rebuild(header, limits=None):
    limits = limits or Limits()
    return outline(json.loads(json.dumps(header)), limits, Budget(limits, 0))


def test_everything_but_the_weights_comes_back(small_graph):
    found = rebuild(describe(small_graph))
    for field in ("name", "input", "nodes", "output", "record"):
        assert getattr(found, field) == getattr(small_graph, field)
    assert found.tensors == {name: layout.shape for name, layout in small_graph.weights.items()}


def test_tensors_are_numbered_by_first_use(small_graph):
    names = weight_names(small_graph.nodes)
    assert names == ["c1.weight", "b", "w", "n.scale", "out.weight", "out.bias"]


def test_defaults_are_left_out(small_graph):
    header = describe(small_graph)
    nodes = {node["name"]: node for node in header["nodes"]}
    assert nodes["out"] == {"name": "out", "op": {"kind": "linear"}, "weights": ["weight", "bias"]}
    assert nodes["c1"]["weights"] == {"weight": "c1.weight", "bias": "b"}
    assert nodes["c3"]["inputs"] == ["p"]
    assert nodes["p"]["op"] == {"kind": "channel_permute", "channels": 8, "shuffle": 2}
    assert "output" not in header


@pytest.mark.parametrize("key", ["name", "input", "nodes", "shapes"])
def test_a_missing_or_mistyped_field_is_named(small_graph, key):
    for value in (None, 3, {}, "text" if key != "name" else []):
        with pytest.raises(FormatError, match="field"):
            rebuild(describe(small_graph) | {key: value})


@pytest.mark.parametrize(
    "change",
    [
        {"input": ["x", [1, 3, 6], [0]]},
        {"input": ["x", [1, 3, 6, 6], [4]]},
        {"input": ["x", [1, 3, 6, 6], [True]]},
        {"input": ["x", [1, 3, -6, 6], [0]]},
        {"input": ["x", [1, 3, 6.0, 6], [0]]},
        {"output": ["out"]},
        {"output": None},
        {"record": 5},
        {"record": {}},
        {"shapes": []},
        {"shapes": [[1]] * 5 + [2]},
        {"shapes": [[1]] * 5 + [[1] * 9]},
        {"shapes": [[1]] * 5 + [[2**32]]},
        {"shapes": [[1]] * 5 + [[True]]},
        {"nodes": ["a"]},
        {"nodes": [{"name": 1, "op": {}}]},
        {"nodes": [{"name": "a", "op": {"kind": "eval"}}]},
        {"nodes": [{"name": "a", "op": {"kind": "flatten"}, "inputs": "x"}]},
        {"nodes": [{"name": "a", "op": {"kind": "flatten"}, "weights": [1]}]},
        {"nodes": [{"name": "a", "op": {"kind": "flatten"}, "weights": {"weight": 1}}]},
    ],
)
def test_wrong_content_is_refused(small_graph, change):
    with pytest.raises((FormatError, GraphError, SpecError)):
        rebuild(describe(small_graph) | change)


def test_limits(small_graph):
    header = describe(small_graph)
    with pytest.raises(LimitExceededError, match="nodes"):
        rebuild(header, Limits(nodes=10))
    with pytest.raises(LimitExceededError, match="entries"):
        rebuild(header, Limits(entries=300))
    permute = {"name": "p", "op": {"kind": "channel_permute", "channels": 2**24, "shuffle": 2}}
    with pytest.raises(LimitExceededError, match="far more"):
        rebuild(header | {"nodes": [permute], "shapes": []})
