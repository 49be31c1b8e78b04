"""`docs/operators.md` names exactly the operators that there are."""

from __future__ import annotations

import re
from pathlib import Path

from gossamer.compile.lowering.lower import LOWERINGS
from gossamer.graph.from_onnx import constants, operators
from gossamer.graph.from_onnx.source import NEWEST_OPSET, OLDEST_OPSET
from gossamer.graph.from_torch.operators import HANDLERS
from gossamer.graph.ops import ACTIVATIONS, OPS

PAGE = (Path(__file__).parents[2] / "docs" / "operators.md").read_text()
GRAPH, ONNX, TORCH = re.split(r"\n## (?:ONNX|PyTorch)\n", PAGE)


def first_cells(part: str) -> set[str]:
    """Return the names in the first column of a part's table."""
    rows = re.findall(r"^\| (`[^|]*`) \|", part, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]*)`", row)}


def test_operators_of_the_graph_and_their_kernels() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| (yes|no) \|$", GRAPH, re.MULTILINE))
    assert rows == {op.kind: "yes" if op in LOWERINGS else "no" for op in OPS}
    assert all(name in GRAPH for name in ACTIVATIONS)


def test_operators_of_onnx() -> None:
    assert first_cells(ONNX) == set(operators.HANDLERS)
    computed = ONNX[ONNX.index("Of constants") : ONNX.index("A network has")]
    assert set(re.findall(r"`(\w+)`", computed)) == {*constants.MEANING, "Identity"}
    assert f"Operator sets {OLDEST_OPSET} to {NEWEST_OPSET};" in ONNX


def test_operators_of_torch() -> None:
    assert first_cells(TORCH) == set(HANDLERS)


def test_what_they_become_is_in_the_graph() -> None:
    made = {
        name
        for row in re.findall(r"\| ([^|]*) \|$", ONNX + TORCH, re.MULTILINE)
        for name in re.findall(r"`([a-z_0-9]+)`", row)
    }
    assert made - {"auto_pad"} <= {op.kind for op in OPS}
