"""A finished demo, without its minutes: two small graphs and made-up times."""

import numpy as np
import pytest

from gossamer.bench.clock import Timing
from gossamer.bench.machine import Machine
from gossamer.bench.record import Record
from gossamer.cli.demo.result import DemoResult, Mistake, Outcome, State
from gossamer.graph import Codebook, Dense, Graph, Input, Node
from gossamer.graph.ops import Conv2d, Flatten, GlobalAvgPool, Linear
from gossamer.report.pictures import Part


def small_graph(name: str, width: int) -> Graph:
    rng = np.random.default_rng(width)
    conv = rng.choice(np.array([0, 0, 0, 0, 0.5, -1], np.float32), (width, 1, 3, 3))
    middle = rng.choice(np.array([0, 0, 0, 0, 0, 0, 0.5, -1], np.float32), (width, width, 3, 3))
    linear = rng.standard_normal((10, width)).astype(np.float32)
    return Graph(
        Input("input", (1, 1, 8, 8)),
        (
            Node("stem.conv", Conv2d(padding=(1, 1, 1, 1)), ("input",), {"weight": "c"}),
            Node("block.<1>", Conv2d(padding=(1, 1, 1, 1)), ("stem.conv",), {"weight": "m"}),
            Node("pool", GlobalAvgPool(), ("block.<1>",)),
            Node("flat", Flatten(), ("pool",)),
            Node("fc", Linear(), ("flat",), {"weight": "f"}),
        ),
        "fc",
        {"c": Codebook.from_dense(conv), "m": Codebook.from_dense(middle), "f": Dense(linear)},
        name=name,
    )


def record(name: str, ours_ms: float) -> Record:
    engines = {"gossamer": ours_ms, "torch": 0.4, "onnxruntime": 0.1}
    return Record(
        network=name,
        input_shape=(1, 1, 8, 8),
        threads=1,
        timings=tuple(Timing(engine, (ms, ms, ms), 1) for engine, ms in engines.items()),
        differences=dict.fromkeys(engines, 0.0),
        machine=Machine("a processor", 2, ("avx2",), "Linux x86_64", "3.11.0"),
        versions={"gossamer": "0.1.0", "torch": "2.13.0"},
        command="gossamer demo",
    )


def outcome(name: str, width: int) -> Outcome:
    return Outcome(
        network=name,
        before=State(0.9889, 130_538, 130_000, 129_990, 2_083_456, 527_000, record(name, 0.08)),
        after=State(0.9861, 130_538, 130_000, 13_000, 208_345, 15_337, record(name, 0.02)),
        asked_sparsity=0.9,
        images=360,
        agreeing=360,
        mistakes=(Mistake(3, 8, 1), Mistake(7, 9, 5)),
        parts=(Part("c", 300), Part("m", 9_000), Part("f", 700), Part("header", 900)),
        explanation="layer  kernel\nstem.conv  dense <not faster sparse>",
        graph=small_graph(name, width),
    )


@pytest.fixture(scope="session")
def demo_result():
    return DemoResult(0, (outcome("digits-plain", 32), outcome("digits-igc", 48)), 61.0)


@pytest.fixture(scope="session")
def digits():
    """Ten of scikit-learn's digits, uint8 (10, 8, 8)."""
    from sklearn.datasets import load_digits

    return np.round(load_digits().images[:10] * (255 / 16)).astype(np.uint8)
