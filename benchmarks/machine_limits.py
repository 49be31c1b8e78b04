"""What one thread of this machine can do at best, for each instruction set, as a Markdown table.

    python benchmarks/machine_limits.py [--isa avx2 host] [--rounds 9]

Multiply-accumulates of single floats, in 10⁹ a second: with all numbers in registers, and with one
number of each read from so many bytes of data, walked in turns. Every round measures all of a row's
cells; a cell is the best of the rounds, and behind it the median: what is less than the best is the
neighbours' doing. Each number is four bytes, so that 9 GMAC/s read 36 GB/s.
"""

import argparse
from collections.abc import Sequence
from statistics import median

from gossamer.bench.load import watch_load
from gossamer.bench.machine import detect_machine
from gossamer.jit.limits import measure_limits
from gossamer.jit.target import HOST, host_target, narrowed

SIZES_BYTES = tuple(2**n for n in (14, 15, 17, 18, 19, 21, 23, 24, 26))


def cell(samples: Sequence[float]) -> str:
    return f"{max(samples):.1f} ({median(samples):.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--isa", nargs="+", default=["avx2", HOST])
    parser.add_argument("--rounds", type=int, default=31)
    options = parser.parse_args()
    heads = [f"{s >> 20} MiB" if s >= 2**20 else f"{s >> 10} KiB" for s in SIZES_BYTES]
    print(f"{detect_machine()}\n")
    print("| GMAC/s | registers | " + " | ".join(heads) + " |")
    print("|---" * (2 + len(heads)) + "|")
    with watch_load() as load:
        for isa in options.isa:
            target = narrowed(host_target(), isa)
            found = [measure_limits(target, SIZES_BYTES) for _ in range(options.rounds)]
            cells = [cell([limits.arithmetic for limits in found])]
            cells += [cell([limits.reading[size] for limits in found]) for size in SIZES_BYTES]
            print(f"| {target.isa}, {target.lanes} lanes | " + " | ".join(cells) + " |", flush=True)
    print(f"\nForeign load: {load.mean:.2f} processors.")


if __name__ == "__main__":
    main()
