"""The MACs in the records; the parameters are in the contract of all networks."""

import re

import pytest

from gossamer.nets.registry import NETWORKS

COUNTED = [name for name in NETWORKS if NETWORKS[name].macs is not None]
# Hundreds of layers take seconds even without numbers in them.
DEEP = 200


def is_deep(name: str) -> bool:
    return any(int(number) > DEEP for number in re.findall(r"\d+", name))


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if is_deep(name) else ()) for name in COUNTED],
)
def test_macs_of_the_record(name, on_meta, cost):
    record = NETWORKS[name]
    assert cost(on_meta(name), record.input_shape) == (record.params, record.macs)
