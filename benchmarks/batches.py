"""Measure linear layers fed with batches: images one after another, in packs, and another engine.

    taskset -c 1 python benchmarks/batches.py                           every row, one thread
    taskset -c 1 python benchmarks/batches.py mlp --batches 1 8 64      some of them
    taskset -c 1 python benchmarks/batches.py --isa avx2 --int8

Weights are random. The variants of a row take turns in one process; before each call an array as
large as a third cache is written, as layers before would do. Printed are microseconds an image, the
lower fifth of the rounds. ONNX Runtime is measured beside if it is installed.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from time import perf_counter

import numpy as np

import gossamer as gs
from gossamer.compile.compile import make_plan
from gossamer.graph import Dense, Graph, Input, Node, Sparse
from gossamer.graph.ops import Linear
from gossamer.graph.quantise import QuantiseOptions, quantise
from gossamer.jit.target import host_target, narrowed
from gossamer.runtime.program import Program

ROWS = {
    "vgg": ((25088, 4096, 4096, 1000), 1.0),
    "vgg-90": ((25088, 4096, 4096, 1000), 0.1),
    "alexnet": ((9216, 4096, 4096, 1000), 1.0),
    "alexnet-90": ((9216, 4096, 4096, 1000), 0.1),
    "resnet-50": ((2048, 1000), 1.0),
    "mlp": ((784, 1024, 1024, 10), 1.0),
    "mlp-90": ((784, 1024, 1024, 10), 0.1),
}
"""Name → (features of the input and of each layer, density)."""
BATCHES = (1, 2, 3, 8, 32, 64)
FLUSHED_BYTES = 2**25

Run = Callable[[np.ndarray], object]


def layers(sizes: tuple[int, ...], density: float) -> Graph:
    """Return linear layers with rectifiers between them."""
    rng, nodes, weights = np.random.default_rng(0), [], {}
    for index, (features, outputs) in enumerate(pairwise(sizes)):
        weight = rng.standard_normal((outputs, features), np.float32)
        weight *= np.float32((2 / features / density) ** 0.5)
        if density < 1:
            weight *= rng.random(weight.shape, np.float32) < density
        name, reads = f"layer{index}", nodes[-1].name if nodes else "x"
        activation = "identity" if index == len(sizes) - 2 else "relu"
        weights[name] = (Dense if density == 1 else Sparse).from_dense(weight)
        nodes.append(Node(name, Linear(activation), (reads,), {"weight": name}))
    return Graph(Input("x", (1, sizes[0])), tuple(nodes), nodes[-1].name, weights)


def engines(graph: Graph, isa: str, threads: int) -> dict[str, Run]:
    """Return name → what answers a batch."""
    target = narrowed(host_target(), isa)
    found: dict[str, Run] = {
        "one by one": Program(graph, partial(make_plan, graph, target, threads, True), threads),
        "packs": gs.compile(graph, threads, target=isa),
    }
    try:
        import onnxruntime
    except ImportError:
        return found
    from gossamer.graph.to_onnx import save_onnx

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "layers.onnx"
        save_onnx(graph, path)
        session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return {**found, "onnxruntime": lambda x: session.run(None, {name: x})}


def times_us(runs: dict[str, Run], x: np.ndarray, seconds: float) -> dict[str, float]:
    """Return name → microseconds a call, the lower fifth of rounds in which all take turns."""
    samples: dict[str, list[float]] = {name: [] for name in runs}
    flushed, end = np.zeros(FLUSHED_BYTES, np.uint8), perf_counter() + seconds
    for run in runs.values():
        run(x)
    while perf_counter() < end or len(samples["packs"]) < 5:
        for name, run in runs.items():
            flushed += 1
            begin = perf_counter()
            run(x)
            samples[name].append(perf_counter() - begin)
    return {name: 1e6 * float(np.quantile(times, 0.2)) for name, times in samples.items()}


def main() -> None:
    """Print a line for each network and batch."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=", ".join(ROWS))
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--isa", default="host", help="instruction set that gossamer uses")
    parser.add_argument("--int8", action="store_true", help="round weights and activations")
    parser.add_argument("--seconds", type=float, default=4.0, help="for each batch")
    options = parser.parse_args()
    for network in options.networks or ROWS:
        graph, rng = layers(*ROWS[network]), np.random.default_rng(1)
        features = graph.input.example[1]
        if options.int8:
            calibration = rng.standard_normal((16, features)).astype(np.float32)
            graph = quantise(graph, calibration, QuantiseOptions("minmax"))
        runs = engines(graph, options.isa, options.threads)
        print(f"{network:12}{'batch':>6}" + "".join(f"{name:>14}" for name in runs))
        for batch in options.batches:
            x = rng.standard_normal((batch, features)).astype(np.float32)
            times = times_us(runs, x, options.seconds)
            cells = "".join(f"{time / batch:14.1f}" for time in times.values())
            print(f"{'':12}{batch:6}{cells}", flush=True)


if __name__ == "__main__":
    main()
