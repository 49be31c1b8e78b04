"""Module → Graph through `torch.export`: the only place in `gossamer.graph` that imports torch.

`program` traces the module, `convert` walks the traced operators in order, and each operator's
handler, found by its aten name in `operators.HANDLERS`, adds nodes to a `builder.Builder`. What has
no handler is an error that names the operator and its place in the model; nothing is dropped.
"""

from gossamer.graph.from_torch.convert import Conversion, convert, from_torch
from gossamer.graph.from_torch.program import example_array, frozen_copy, run

__all__ = ["Conversion", "convert", "example_array", "from_torch", "frozen_copy", "run"]
