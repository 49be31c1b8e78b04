"""Measure how fast `.goss` files are read: processor time a weight, zeros counted.

    python benchmarks/decode_speed.py               25 million weights, profile fast
    python benchmarks/decode_speed.py --profile small --weights 2

Random networks of forty 3×3 layers, each layout at densities of 10, 50 and 100 %; the file is in
memory, read once before the clock starts, then `--rounds` times, and the least time counts. Both
times are printed: the processor's (of all threads together), which other work on the machine hardly
changes, and that on the clock, which is worth something only on an idle machine.
"""

import argparse
from time import perf_counter, process_time

import numpy as np

from gossamer.codec.read import decode
from gossamer.codec.write import encode
from gossamer.graph import Codebook, Graph, Input, Layout, Node, Quantised, Sparse
from gossamer.graph.ops import Conv2d

LAYERS = 40
Shape = tuple[int, int, int, int]


def codebook(values: np.ndarray, places: np.ndarray, shape: Shape) -> Layout:
    centroids = np.sort(np.random.default_rng(1).standard_normal(31)).astype(np.float32)
    return Codebook(shape, places, np.searchsorted(centroids[:-1], values), centroids)


def quantised(values: np.ndarray, places: np.ndarray, shape: Shape) -> Layout:
    integers = np.zeros(np.prod(shape), np.int8)
    integers[places] = np.clip(np.rint(30 * values), -127, 127)
    return Quantised(integers.reshape(shape), np.ones(shape[0], np.float32))


def sparse(values: np.ndarray, places: np.ndarray, shape: Shape) -> Layout:
    return Sparse(shape, places, values)


def network(kind: str, density: float, channels: int) -> Graph:
    rng = np.random.default_rng(0)
    shape = (channels, channels, 3, 3)
    make = {"codebook": codebook, "quantised": quantised, "sparse": sparse}[kind]
    weights: dict[str, Layout] = {}
    nodes = []
    for layer in range(LAYERS):
        places = np.flatnonzero(rng.random(np.prod(shape)) < density)
        values = rng.standard_normal(len(places)).astype(np.float32)
        weights[f"c{layer}.weight"] = make(values, places, shape)
        before = f"c{layer - 1}" if layer else "x"
        roles = {"weight": f"c{layer}.weight"}
        nodes.append(Node(f"c{layer}", Conv2d(padding=(1, 1, 1, 1)), (before,), roles))
    return Graph(Input("x", (1, channels, 8, 8)), tuple(nodes), nodes[-1].name, weights)


def measure(data: bytes, rounds: int) -> tuple[float, float]:
    """Return the least (processor, clock) seconds of reading."""
    decode(data)
    found = []
    for _ in range(rounds):
        start = process_time(), perf_counter()
        decode(data)
        found.append((process_time() - start[0], perf_counter() - start[1]))
    return min(spent for spent, _ in found), min(passed for _, passed in found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", choices=("fast", "small"), default="fast")
    parser.add_argument("--weights", type=float, default=25.0, help="millions")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    channels = round((options.weights * 1e6 / LAYERS / 9) ** 0.5)
    print(f"profile {options.profile}, {LAYERS} layers of {channels}×{channels}×3×3")
    for kind in ("codebook", "quantised", "sparse"):
        for density in (0.1, 0.5, 1.0):
            graph = network(kind, density, channels)
            weights = sum(layout.size for layout in graph.weights.values())
            data = encode(graph, options.profile)
            spent_s, passed_s = measure(data, options.rounds)
            print(
                f"{kind:9} {density:4.0%} dense: {len(data):>11,} bytes, "
                f"processor {1e3 * spent_s:6.0f} ms = {weights / spent_s / 1e6:6.1f} M weights/s, "
                f"clock {1e3 * passed_s:6.0f} ms",
                flush=True,
            )


if __name__ == "__main__":
    main()
