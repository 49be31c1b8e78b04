import pytest
import torch

from gossamer.train import registry

TABLES = [registry.DATASETS, registry.AUGMENTS, registry.SCHEDULES, registry.OPTIMISERS]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.kind)
def test_every_entry_can_be_imported(table):
    assert all(callable(table[name]) for name in table)


def test_precisions_are_those_of_torch():
    assert dict(registry.PRECISIONS) == {"float32": torch.float32, "bfloat16": torch.bfloat16}
