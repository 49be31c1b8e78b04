"""Compare the memory of all activations with the least that the network's values need.

    python benchmarks/activation_memory.py                          the table; under five minutes
    python benchmarks/activation_memory.py --networks resnet-50     some rows: part of their names

The arena holds every activation of one image, batches being run one image after another: padded to
whole vectors, with the edges that kernels read, and what kernels need to work in. The least is
`gossamer.graph.live.live_peak`. Nothing is timed: kernels that are tried share one arena.
"""

from __future__ import annotations

import argparse

import gossamer
from gossamer.bench.suite.network import build_graph
from gossamer.bench.suite.row import Row
from gossamer.graph import Graph
from gossamer.graph.live import live_peak

ROWS = (
    Row("resnet-50"),
    Row("resnet-50", 0.90),
    Row("mobilenet-v1"),
    Row("mobilenet-v2"),
    Row("googlenet-torchvision"),
    Row("sparsenet-concat-121"),
)
WAYS = (("host", 1), ("host", 2), ("avx2", 1), ("avx2", 2))


def arena_bytes(graph: Graph, target: str, threads: int) -> int:
    with gossamer.compile(graph, threads, measure=False, target=target) as program:
        return program.plan_for(graph.input.example[1:]).arena.nbytes


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", default="", help="part of the rows' names")
    options = parser.parse_args()
    heads = [f"{target}, {threads} thread{'s' * (threads > 1)}" for target, threads in WAYS]
    print("| network | least, MB | at | " + " | ".join(heads) + " |")
    print("|---|---:|---|" + "---:|" * len(WAYS))
    for row in ROWS:
        if options.networks in row.name:
            graph = build_graph(row)
            least = live_peak(graph)
            sizes = [arena_bytes(graph, *way) for way in WAYS]
            cells = [f"{size / 1e6:.2f} ({size / least.size_bytes:.2f}×)" for size in sizes]
            cells = [row.name, f"{least.size_bytes / 1e6:.2f}", f"`{least.node}`", *cells]
            print("|", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
