"""Measure how long a fresh process takes from a `.goss` file to the network's first answer.

    python benchmarks/first_answer.py FILE.goss              the table: without the cache, and with
    python benchmarks/first_answer.py FILE.goss --runs 9     more processes with the cache

Every row is a process of its own; the files are in the system's page cache. The cache of machine
code and measured times is a new folder, so that the first process finds it empty. Beside the time
on the clock stands the processor's: on a busy machine only the second means something.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from statistics import median
from time import perf_counter, process_time

STAGES = ("import numpy", "import gossamer", "load", "compile", "first answer")
Times = dict[str, tuple[float, float]]


def first_answer(path: str, threads: int) -> Times:
    """Do it once in this process; return stage → (seconds on the clock, of the processor)."""
    marks = [(perf_counter(), process_time())]

    def mark() -> None:
        marks.append((perf_counter(), process_time()))

    import numpy as np

    mark()
    import gossamer

    load, compile = gossamer.load, gossamer.compile
    mark()
    graph = load(path)
    mark()
    program = compile(graph, threads)
    mark()
    program(np.zeros((1, *graph.input.example[1:]), np.float32))
    mark()
    return {
        stage: (after[0] - before[0], after[1] - before[1])
        for stage, before, after in zip(STAGES, marks, marks[1:], strict=False)
    }


def in_a_new_process(path: str, threads: int, cache: str) -> Times:
    done = subprocess.run(
        [sys.executable, __file__, path, "--threads", str(threads), "--once"],
        env={**os.environ, "GOSSAMER_CACHE": cache},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("path")
    parser.add_argument("--runs", type=int, default=5, help="processes with the cache")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--once", action="store_true", help="one run in this process, as JSON")
    options = parser.parse_args()
    if options.once:
        print(json.dumps(first_answer(options.path, options.threads)))
        return
    with tempfile.TemporaryDirectory() as cache:
        cold = [in_a_new_process(options.path, options.threads, cache)]
        warm = [in_a_new_process(options.path, options.threads, cache) for _ in range(options.runs)]
    show("cache empty", cold)
    show(f"cache filled, median of {options.runs}", warm)


def show(title: str, runs: list[Times]) -> None:
    print(f"{title:32} {'clock s':>8} {'cpu s':>8}")
    for stage in STAGES:
        print(
            f"  {stage:30}" + "".join(f" {median(r[stage][i] for r in runs):8.3f}" for i in (0, 1))
        )
    for name, stages in (("load to first answer", STAGES[2:]), ("all", STAGES)):
        sums = [[sum(run[stage][i] for stage in stages) for i in (0, 1)] for run in runs]
        print(f"  {name:30}" + "".join(f" {median(s[i] for s in sums):8.3f}" for i in (0, 1)))


if __name__ == "__main__":
    main()
