import json

from gossamer.bench.record import Record
from gossamer.cli.demo.result import layers_of


def test_the_result_is_plain_data(demo_result):
    data = json.loads(json.dumps(demo_result.to_dict()))
    first = data["networks"][0]
    assert first["network"] == "digits-plain"
    assert first["after"]["nonzeros"] == 13_000
    assert round(first["after"]["sparsity"], 6) == 0.9
    assert first["mistakes"] == [
        {"index": 3, "label": 8, "predicted": 1},
        {"index": 7, "label": 9, "predicted": 5},
    ]
    assert Record.from_dict(first["before"]["record"]) == demo_result.outcomes[0].before.record


def test_layers_are_those_with_a_weight(demo_result):
    names = [node.name for node, _ in layers_of(demo_result.outcomes[0].graph)]
    assert names == ["stem.conv", "block.<1>", "fc"]
