"""Measure the peak memory of one training step against depth: sparse and dense, recomputed or not.

    python benchmarks/deep_memory.py                         the table; under three minutes
    python benchmarks/deep_memory.py --figure FILE.svg       the same, drawn as well
    python benchmarks/deep_memory.py --case 1000 12 32 sparse 1     depth, growth, batch, pattern,
                                                                    units recomputed together

Every measurement is a process of its own. Its figure is the peak resident memory of the step less
what the process held before it. Freed blocks below glibc's moving mmap threshold stay with the
process, which in a pattern with many live tensors hides what was released; the table therefore
fixes that threshold (`MALLOC_MMAP_THRESHOLD_=65536`). A --case runs with the allocator as it is.

"Kept" is what the theory says that a step keeps: without recomputation the aggregate of every unit
twice (before its norm, and after norm and ReLU), so 2·k·links numbers a pixel; with it every unit's
result once, k·n numbers a pixel.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from time import perf_counter

from gossamer.nets.connectivity.aggregation import dense_links, links

MIB = 2**20
SIZE = 32
TABLE_BATCH, TABLE_GROWTH = 4, 12
TABLE = [
    *((depth, "sparse", 0) for depth in (40, 100, 202, 400)),
    *((depth, "dense", 0) for depth in (40, 70, 100)),
    *((depth, "sparse", 1) for depth in (40, 100, 202, 400)),
    *((depth, "dense", 1) for depth in (40, 70, 100)),
]


def kept_bytes(depth: int, growth: int, batch: int, pattern: str, checkpoint: int) -> int:
    units = (depth - 4) // 3
    read = links(units) if pattern == "sparse" else dense_links(units)
    numbers = growth * units if checkpoint else 2 * growth * read
    pixels = sum((SIZE >> stage) ** 2 for stage in range(3))
    return 4 * batch * pixels * numbers


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def step(depth: int, growth: int, batch: int, pattern: str, checkpoint: int) -> dict[str, float]:
    """Do one training step in this process and return its peak memory and time."""
    import torch

    from gossamer.nets.create import create_model

    torch.set_num_threads(1)
    name = "sparsenet-concat-1000-k12-cifar"
    options = {"depth": depth, "growth": growth, "checkpoint": checkpoint}
    model = create_model(name, aggregation=pattern, **options)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    images, labels = torch.randn(batch, 3, SIZE, SIZE), torch.arange(batch) % 10
    before, start = peak_bytes(), perf_counter()
    torch.nn.functional.cross_entropy(model(images), labels).backward()
    optimiser.step()
    return {
        "peak_bytes": peak_bytes(),
        "step_bytes": peak_bytes() - before,
        "kept_bytes": kept_bytes(depth, growth, batch, pattern, checkpoint),
        "time_s": perf_counter() - start,
    }


def measured(depth: int, pattern: str, checkpoint: int) -> dict[str, float]:
    case = [str(v) for v in (depth, TABLE_GROWTH, TABLE_BATCH, pattern, checkpoint)]
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    command = [sys.executable, __file__, "--case", *case]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def draw(rows: list[tuple[int, str, int, dict[str, float]]], path: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
    for pattern, colour in (("sparse", "tab:blue"), ("dense", "tab:red")):
        for checkpoint, line in ((0, "-"), (1, "--")):
            chosen = [row for row in rows if row[1:3] == (pattern, checkpoint)]
            depths = [row[0] for row in chosen]
            label = pattern + (", recomputed" if checkpoint else "")
            peaks = [row[3]["step_bytes"] / MIB for row in chosen]
            kept = [row[3]["kept_bytes"] / MIB for row in chosen]
            axes.plot(depths, peaks, line, color=colour, marker="o", label=label)
            axes.plot(depths, kept, ":", color=colour, linewidth=1)
    axes.set(xlabel="depth", ylabel="peak memory of one step, MiB", xscale="log", yscale="log")
    axes.set_title("k = 12, 32×32, batch 4; dotted: what the theory says is kept")
    axes.legend()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description="Peak memory of a training step against depth.")
    parser.add_argument("--case", nargs=5, metavar=("DEPTH", "GROWTH", "BATCH", "PATTERN", "UNITS"))
    parser.add_argument("--figure", type=Path, help="write the table as a picture too")
    arguments = parser.parse_args()
    if arguments.case:
        depth, growth, batch, pattern, checkpoint = arguments.case
        print(json.dumps(step(int(depth), int(growth), int(batch), pattern, int(checkpoint))))
        return
    print("| depth | aggregation | recomputed | kept, MiB | peak, MiB | time, s |")
    print("|---:|---|---|---:|---:|---:|")
    rows = []
    for depth, pattern, checkpoint in TABLE:
        result = measured(depth, pattern, checkpoint)
        rows.append((depth, pattern, checkpoint, result))
        kept, peak = result["kept_bytes"] / MIB, result["step_bytes"] / MIB
        recomputed = "each unit" if checkpoint else "no"
        cells = (
            depth,
            pattern,
            recomputed,
            f"{kept:.0f}",
            f"{peak:.0f}",
            f"{result['time_s']:.1f}",
        )
        print("|", " | ".join(str(cell) for cell in cells), "|", flush=True)
    if arguments.figure:
        draw(rows, arguments.figure)


if __name__ == "__main__":
    main()
