"""Single convolutions as a share of what this machine can do, beside ONNX Runtime on the dense one.

    python benchmarks/conv_layers.py [--densities 1 0.3 0.2 0.1 0.05] [--rounds 15] [--only 3x3]

First the machine's limits are measured: arithmetic from registers, and with each number read from
each cache. Then, for every layer of the table and every density, the chosen kernel (batch 1, one
thread, on data in the program's own layout) and ONNX Runtime's session on the same dense layer run
in turns; the table has medians. The session copies its input and output into its own layouts and
back, which costs it more the smaller the layer: the ratio of one layer says less than that of a
network. "share" is the multiply-accumulates that the nonzeros need, over the time, over the
machine's arithmetic: lanes that hold no pixel and sums that wait in the cache are losses.
"""

import argparse
from collections.abc import Callable
from statistics import median
from time import perf_counter, sleep

import numpy as np

import gossamer as gs
from gossamer.graph import Dense, Graph, Input, Node, Sparse
from gossamer.graph.counting import count
from gossamer.graph.ops import Conv2d
from gossamer.graph.to_onnx import to_onnx
from gossamer.jit.limits import measure_limits
from gossamer.runtime.native import native_loop
from gossamer.runtime.program import Program

# Channels in, channels out, kernel, picture, stride: the layers of ResNet-50, MobileNet, ResNet-56.
LAYERS = (
    (64, 64, 3, 56, 1), (128, 128, 3, 28, 1), (256, 256, 3, 14, 1), (512, 512, 3, 7, 1),
    (128, 128, 3, 56, 2), (64, 256, 1, 56, 1), (256, 64, 1, 56, 1), (512, 128, 1, 28, 1),
    (256, 512, 1, 56, 2), (1024, 256, 1, 14, 1), (256, 1024, 1, 14, 1), (2048, 512, 1, 7, 1),
    (512, 512, 1, 14, 1), (16, 16, 3, 32, 1), (32, 32, 3, 16, 1), (64, 64, 3, 8, 1),
)  # fmt: skip


def layer(shape: tuple[int, ...], density: float) -> Graph:
    """Return a graph of one convolution with random zeros."""
    channels, rows, kernel, size, stride = shape
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((rows, channels, kernel, kernel)).astype(np.float32)
    weight *= rng.random(weight.shape) < density
    op = Conv2d((stride, stride), (kernel // 2,) * 4, activation="relu")
    kind = Sparse if density < 1 else Dense
    node = Node("conv", op, ("x",), {"weight": "w"})
    return Graph(
        Input("x", (1, channels, size, size)), (node,), "conv", {"w": kind.from_dense(weight)}
    )


def session(graph: Graph, x: np.ndarray) -> Callable[[], object]:
    """Return a run of ONNX Runtime, one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    made = onnxruntime.InferenceSession(to_onnx(graph).SerializeToString(), options)
    return lambda: made.run(None, {"x": x})


def alone(program: Program, x: np.ndarray) -> Callable[[], object]:
    """Return a run of the convolution's kernel alone, on what a whole run left in memory."""
    program(x)
    plan, repeat = program.plan_for(x.shape[1:]), native_loop().repeat
    at = [report.macs > 0 for report in plan.reports].index(True)
    step = plan.steps[at].ctypes.data
    return lambda: repeat(step, 1, 1)


def medians_ms(calls: list[Callable[[], object]], rounds: int) -> list[float]:
    """Return the median time of each call; they take turns, the best of three a turn."""
    samples = [[] for _ in calls]
    for _ in range(rounds):
        for call, found in zip(calls, samples, strict=True):
            sleep(0.0005)
            times = []
            for _ in range(3):
                start = perf_counter()
                call()
                times.append(1e3 * (perf_counter() - start))
            found.append(min(times))
    return [median(found) for found in samples]


def main() -> None:
    """Print the limits, then one row a layer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--densities", type=float, nargs="+", default=[1, 0.3, 0.2, 0.1, 0.05])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", default="", help="part of a layer's name")
    options = parser.parse_args()
    limits = measure_limits()
    print(f"arithmetic: {limits.arithmetic:.1f} GMAC/s")
    for size, speed in limits.reading.items():
        print(f"each number read from {size // 1024:,} KiB: {speed:.1f} GMAC/s")
    print("\n| layer | ONNX Runtime dense, ms |", end="")
    print("".join(f" {d:g}: ms | × | share |" for d in options.densities))
    print("|---" * (2 + 3 * len(options.densities)) + "|")
    for shape in LAYERS:
        channels, rows, kernel, size, stride = shape
        name = f"{kernel}x{kernel} {channels}-{rows} @{size}" + (f" /{stride}" * (stride > 1))
        if options.only not in name:
            continue
        x = np.random.default_rng(1).standard_normal((1, channels, size, size)).astype(np.float32)
        graphs = [layer(shape, density) for density in options.densities]
        programs = [gs.compile(graph) for graph in graphs]
        calls = [session(layer(shape, 1), x), *(alone(program, x) for program in programs)]
        times = medians_ms(calls, options.rounds)
        cells = [name, f"{times[0]:.3f}"]
        for graph, time_ms in zip(graphs, times[1:], strict=True):
            share = count(graph, x.shape).effective_macs / time_ms / 1e6 / limits.arithmetic
            cells += [f"{time_ms:.3f}", f"{times[0] / time_ms:.1f}", f"{share:.0%}"]
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
