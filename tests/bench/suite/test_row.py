import json

import pytest

from gossamer.bench.suite.row import RIVALS, Asked, Row
from gossamer.bench.suite.rows import ROWS
from gossamer.errors import SpecError
from gossamer.nets.registry import NETWORKS


def asked(network, sparsity, threads=1, **options):
    options = {"precision": "float32", "size": 0, **options}
    (row,) = (
        row
        for row in ROWS
        if (row.network, row.sparsity, row.allocation) == (network, sparsity, "uniform")
        and all(getattr(row, name) == value for name, value in options.items())
    )
    return row.asked.get(threads)


def test_names_are_different():
    assert len({row.name for row in ROWS}) == len(ROWS)


def test_every_network_exists_and_is_measured_dense_too():
    assert {row.network for row in ROWS} <= set(NETWORKS)
    pruned = {row.network for row in ROWS if row.sparsity and row.asked}
    dense = {row.network for row in ROWS if not row.sparsity and row.precision == "float32"}
    assert pruned == dense


@pytest.mark.parametrize(
    ("network", "sparsity", "pattern", "multiples"),
    [
        ("resnet-50", 0.90, "unstructured", (6, 3, 3, 2.5)),
        ("resnet-50", 0.95, "unstructured", (9, 4.5, 3, 2.5)),
        ("resnet-50", 0.90, "blocks", (7, 3.5, 4, 2)),
        ("resnet-50", 0.95, "blocks", (10, 5, 4, 2)),
        ("mobilenet-v1", 0.90, "unstructured", (4, 2.3, 3, 2)),
        ("mobilenet-v2", 0.80, "unstructured", (2, 1.3, 2.5, 1.5)),
        ("igcv3-d", 0.80, "unstructured", (2, 1.3, 2.5, 1.5)),
        ("resnet-56-cifar", 0.90, "unstructured", (8, 4.5, 2.7, 6)),
        ("resnet-56-cifar", 0.95, "unstructured", (12, 7, 2.7, 6)),
    ],
)
def test_the_asked_multiples(network, sparsity, pattern, multiples):
    assert asked(network, sparsity, pattern=pattern) == Asked(*multiples)


def test_two_threads_are_asked_less_of_the_small_network():
    assert asked("resnet-56-cifar", 0.90, threads=2) == Asked(fp32=5)
    assert asked("resnet-56-cifar", 0.95, threads=2) == Asked(fp32=7)
    assert asked("mobilenet-v1", 0.90, threads=2) == asked("mobilenet-v1", 0.90)
    assert asked("squeezenet-1.0", 0.67, threads=2) is None


def test_a_row_survives_json_without_what_is_asked():
    for row in ROWS:
        again = Row(**json.loads(json.dumps(row.to_dict())))
        assert again == row
        assert again.name == row.name
        assert not again.asked


@pytest.mark.parametrize(
    "options",
    [
        {"sparsity": 1.0},
        {"sparsity": -0.1},
        {"sparsity": float("nan")},
        {"pattern": "stripes"},
        {"allocation": "fair"},
        {"pruned": "none"},
        {"precision": "int4"},
        {"size": -1},
    ],
)
def test_what_is_impossible_is_refused(options):
    with pytest.raises(SpecError):
        Row("resnet-50", **options)


def test_every_kind_of_rival_can_be_asked():
    assert set(RIVALS) == set(Asked.__dataclass_fields__)
