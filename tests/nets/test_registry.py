"""The MACs in the records; the parameters are in the contract of all networks."""

import pytest

from gossamer.nets.registry import NETWORKS


@pytest.mark.parametrize("name", [name for name in NETWORKS if NETWORKS[name].macs is not None])
def test_macs_of_the_record(name, on_meta, cost):
    record = NETWORKS[name]
    assert cost(on_meta(name), record.input_shape) == (record.params, record.macs)
