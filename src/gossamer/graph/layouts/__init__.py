"""How a weight tensor is held: every layout is a frozen record that knows its dense meaning.

The contract, checked for all of them by `tests/contracts/test_layouts.py`: `shape`, `nonzeros`,
`to_dense()`, `from_dense(array)`, `take(indices, axis)`, equality of content, and a ShapeError from
the constructor for parts that do not fit together.
"""

from gossamer.graph.layouts.codebook import Codebook
from gossamer.graph.layouts.dense import Dense
from gossamer.graph.layouts.layout import Layout
from gossamer.graph.layouts.quantised import Quantised
from gossamer.graph.layouts.sparse import Sparse
from gossamer.registry import Registry

LAYOUTS = Registry(
    "layout",
    {
        "dense": "gossamer.graph.layouts.dense:Dense",
        "sparse": "gossamer.graph.layouts.sparse:Sparse",
        "codebook": "gossamer.graph.layouts.codebook:Codebook",
        "quantised": "gossamer.graph.layouts.quantised:Quantised",
    },
)

__all__ = ["LAYOUTS", "Codebook", "Dense", "Layout", "Quantised", "Sparse"]
