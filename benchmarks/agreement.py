"""Compare the results of the suite's networks with ONNX Runtime's and with those in float64.

    python benchmarks/agreement.py                          the tables, about twenty minutes
    python benchmarks/agreement.py --networks resnet-50     some rows: part of their names

Nothing is timed. Every row runs on the same random pictures, by our program with all that the
processor has and held to AVX2, by ONNX Runtime on the exported ONNX model, and by the interpreter
in float64 and in float32. The first three columns are differences from the interpreter, in float64
or, where it is int8 that rounds, in float32; "float32" is the interpreter's own in the one from the
other. Rows that need trained weights or an absent package are left out, and it is said why.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from gossamer.bench.agreement import Agreement, agreement
from gossamer.bench.machine import detect_machine
from gossamer.bench.suite.measure import quantise_randomly
from gossamer.bench.suite.network import build_graph
from gossamer.bench.suite.row import Row
from gossamer.bench.suite.rows import ROWS
from gossamer.errors import GossamerError

STEPS = 127  # of an 8-bit grid that just holds the outputs, on either side of zero


def measured(row: Row, images: int) -> Agreement:
    graph = build_graph(replace(row, precision="float32"))
    shape = (images, *graph.input.example[1:])
    x = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    return agreement(quantise_randomly(graph) if row.precision == "int8" else graph, x)


def cells(row: Row, found: Agreement) -> Iterable[str]:
    values = (*found.ours.values(), found.rival, found.own, *found.apart.values())
    if row.precision == "int8":
        return (f"{STEPS * value:.2f}" for value in values)
    return (f"{1e6 * value:.2f}" for value in values)


def table(rows: list[Row], unit: str, images: int) -> None:
    print(f"\n| network, {unit} | gossamer | AVX2 only | ONNX Runtime | float32 |", end="")
    print(" gossamer – ONNX Runtime | AVX2 only |\n|---|---:|---:|---:|---:|---:|---:|")
    for row in rows:
        try:
            print("|", " | ".join([row.name, *cells(row, measured(row, images))]), "|", flush=True)
        except GossamerError as error:
            print(f"| {row.name} | left out: {error} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", default="", help="part of the rows' names")
    parser.add_argument("--images", type=int, default=4, help="pictures of each row")
    options = parser.parse_args()
    print(detect_machine())
    rows = [row for row in ROWS if options.networks in row.name]
    precise = [row for row in rows if row.precision == "float32"]
    table(precise, "millionths of the largest output", options.images)
    coarse = [row for row in rows if row.precision == "int8"]
    table(coarse, f"{STEPS}ths of the largest output", options.images)


if __name__ == "__main__":
    main()
