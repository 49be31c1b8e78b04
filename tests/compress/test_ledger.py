import json

from gossamer.compress.ledger import Ledger, LedgerEntry
from gossamer.compress.measure import LayerMeasurement, Measurement


def entry(accuracy_after):
    before = Measurement(12, (LayerMeasurement("a", 1000, 1000, 900, 5000, 5000),))
    after = Measurement(12, (LayerMeasurement("a", 1000, 100, 90, 5000, 500),))
    asked = {"sparsity": 0.9, "training": {"epochs": 3}}
    return LedgerEntry("prune", asked, {"sparsity": 0.9}, before, after, 0.99, accuracy_after, 1.25)


def test_json_round_trip():
    ledger = Ledger((entry(0.98), entry(None)))
    assert Ledger.from_dict(json.loads(json.dumps(ledger.to_dict()))) == ledger


def test_one_readable_line_a_pass():
    assert str(Ledger((entry(None),))) == (
        "prune: asked sparsity 0.9; got sparsity 0.9; accuracy 99.00% → not measured; "
        "nonzeros 1,000 → 100; effective MACs 5,000 → 500; 1.2 s"
    )
