import pytest

from gossamer.train import registry

TABLES = [registry.DATASETS, registry.AUGMENTS, registry.SCHEDULES, registry.OPTIMISERS]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.kind)
def test_every_entry_can_be_imported(table):
    assert all(callable(table[name]) for name in table)
