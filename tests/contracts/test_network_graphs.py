"""Every registered network exports to a graph that equals it, and the program equals the graph.

In the fast suite the smallest member of each family at a small size, in the slow one every member
at its own size.
"""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from gossamer.codec.read import decode
from gossamer.codec.write import encode
from gossamer.compile.compile import compile
from gossamer.graph import interpret
from gossamer.graph.counting import count
from gossamer.graph.export import export
from gossamer.nets.create import create_model
from gossamer.nets.registry import NETWORKS
from tests.contracts.test_networks import images, is_small, small_size

TOLERANCE = 1e-5
"""Largest difference over largest value, or four times what float32 costs the module itself."""


def smallest_of_each_family() -> list[str]:
    chosen: dict[str, str] = {}
    for name, target in NETWORKS._targets.items():
        if is_small(name):
            chosen.setdefault(target.split(":")[0], name)
    return list(chosen.values())


FAST = [pytest.param(name, small_size(name), id=name) for name in smallest_of_each_family()]
# Tracing a thousand layers takes many minutes; their shallower siblings stand for them.
VERY_DEEP = re.compile(r"-(1000|1001|1202)-")
SLOW = [
    pytest.param(name, NETWORKS[name].input_shape[1], marks=pytest.mark.slow, id=f"{name}-own-size")
    for name in NETWORKS
    if not VERY_DEEP.search(name)
]


@pytest.mark.parametrize(("name", "size"), [*FAST, *SLOW])
def test_module_graph_file_and_program_agree(name: str, size: int) -> None:
    model = with_settled_norms(create_model(name), images(name, size, n=16))
    x = images(name, size, n=1)
    graph = export(model, x, name=name)
    with torch.no_grad():
        single, double = model(x).numpy(), model.double()(x.double()).numpy()
    rounding = differ_by(single, double)
    assert differ_by(interpret(graph, x.numpy()), double) <= max(TOLERANCE, 4 * rounding)
    assert decode(encode(graph)) == graph
    with compile(graph, measure=False) as program:
        # A kernel adds thousands of terms one after the other, torch in blocks.
        assert differ_by(program(x.numpy()), double) <= max(TOLERANCE, 16 * rounding)
    record = NETWORKS[name]
    if record.macs is not None and size == record.input_shape[1]:
        assert sum(row.macs for row in count(graph).nodes) == record.macs


def with_settled_norms(model: torch.nn.Module, x: torch.Tensor) -> torch.nn.Module:
    """Return the model in evaluation mode with norm statistics of `x`, not of its construction."""
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.momentum = None
    with torch.no_grad():
        model.train()(x)
    return model.eval()


def differ_by(a: np.ndarray, b: np.ndarray) -> float:
    """Return the largest difference over the largest value."""
    return float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-30))
