"""Measure what the runtime costs before it runs: time to import, bytes of what is installed.

    python -m venv fresh && fresh/bin/pip install .      what a user of files has, nothing else
    fresh/bin/python benchmarks/footprint.py             both tables
    python benchmarks/footprint.py --processes 31        more processes

Each import is a process of its own, after one that does not count; the files are in the system's
page cache and Python's bytecode is written. `gossamer.runtime.program` is all that calling a
program needs; time is on the clock, beyond that of numpy, which is imported first. Installed is
what the packages' own records list, and bytecode.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from statistics import quantiles

MODULES = ("gossamer", "gossamer.runtime.program", "gossamer.compile.compile")
TOOLS = {"pip", "setuptools", "wheel"}
TIME = """
from time import perf_counter
marks = [perf_counter()]
import numpy
marks.append(perf_counter())
import {}
marks.append(perf_counter())
print(marks[1] - marks[0], marks[2] - marks[1])
"""


def import_times_ms(module: str) -> tuple[float, float]:
    """Return the milliseconds of numpy, and of the module after it, in a new process."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", TIME.format(module)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    numpy, beyond = (1e3 * float(word) for word in done.stdout.split())
    return numpy, beyond


def show_imports(processes: int) -> None:
    print("| import | ms, median | quartiles |\n|---|---:|---:|")
    for module in MODULES:
        samples = [import_times_ms(module) for _ in range(processes + 1)][1:]
        if module == MODULES[0]:
            print(row("numpy", [numpy for numpy, _ in samples]))
        print(row(f"{module}, beyond numpy", [beyond for _, beyond in samples]), flush=True)


def row(name: str, samples: list[float]) -> str:
    low, middle, high = quantiles(samples)
    return f"| {name} | {middle:.1f} | {low:.1f}–{high:.1f} |"


def show_sizes() -> None:
    sizes = {
        f"{found.name} {found.version}": sum(
            path.stat().st_size
            for path in map(Path, map(found.locate_file, found.files or ()))
            if path.is_file()
        )
        for found in distributions()
        if found.name not in TOOLS
    }
    print("\n| installed | MB |\n|---|---:|")
    for name, size_bytes in sorted(sizes.items(), key=lambda item: -item[1]):
        print(f"| {name} | {size_bytes / 1e6:.1f} |")
    rest = {name: n for name, n in sizes.items() if name.split()[0] not in ("numpy", "llvmlite")}
    print(f"| all but numpy and llvmlite | {sum(rest.values()) / 1e6:.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--processes", type=int, default=21, help="of each import, ≥ 2")
    show_imports(parser.parse_args().processes)
    show_sizes()


if __name__ == "__main__":
    main()
