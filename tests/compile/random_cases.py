"""Random cases, by seed, in a process of their own: a fault ends it, and the seed is known.

    python -m tests.compile.random_cases FIRST COUNT

Each seed is printed before its case is tried.
"""

from __future__ import annotations

import faulthandler
import os
import subprocess
import sys
import traceback
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np

from gossamer.compile import compile as compiling
from gossamer.compile.bind import Binding
from gossamer.compile.lowering import channel_conv, conv_candidates, convolution, winograd
from gossamer.compile.lowering.conv_ways import Way
from gossamer.graph import Graph
from gossamer.graph.ops import ACTIVATIONS
from tests.compile.graphs import program
from tests.compile.guard_pages import GuardedBinding, GuardedFromBelow
from tests.compile.not_finite import assert_allowed
from tests.compile.random_graphs import random_graph

TOLERANCE = 3e-5
BLOCK = 500
WAYS = ((4, "host"), (4, "portable"), (8, "host"), (16, "host"))
"""Lanes, and the instruction set that kernels are held to."""
NOT_FINITE = ((np.nan,), (np.inf,), (-np.inf,), (np.nan, np.inf, -np.inf))


@dataclass(frozen=True)
class Case:
    """A graph, what it is fed, and how it is compiled.

    Args:
        graph: the network.
        x: its input.
        options: lanes, instruction set, threads and whether kernels are measured.
        binding: what places memory.
        odd: whether caches and offsets count as small, so that small layers are treated as large,
            and any kernel may run.
    """

    graph: Graph
    x: np.ndarray
    options: dict
    binding: type[Binding]
    odd: bool


def case(seed: int) -> Case:
    """Return the case of a seed; most lie between guard pages.

    Seeds of one block have vector width and activations in common, and so many kernels.
    """
    block = np.random.default_rng([seed // BLOCK])
    lanes, isa = WAYS[int(block.integers(len(WAYS)))]
    activations = ["identity", "relu", *block.choice(ACTIVATIONS, 2)]
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, activations)
    x = rng.standard_normal((int(rng.integers(1, 3)), *graph.input.example[1:])).astype(np.float32)
    if rng.random() < 0.3:
        where = rng.random(x.shape) < rng.choice([0.005, 0.05])
        kinds = NOT_FINITE[int(rng.integers(len(NOT_FINITE)))]
        x = np.where(where, rng.choice(kinds, x.shape), x).astype(np.float32)
    options = {
        "lanes": lanes,
        "isa": isa,
        "threads": int(rng.choice([1, 1, 1, 1, 1, 1, 2, 3])),
        "measure": bool(rng.random() < 0.05),
    }
    odd = rng.random() < 0.25
    bindings = [Binding]
    if os.name == "posix":
        bindings += [GuardedBinding, GuardedFromBelow]
    return Case(graph, x, options, bindings[int(rng.integers(len(bindings)))], bool(odd))


def check(seed: int) -> None:
    """Compare a case with the interpreter, twice: the second time the memory was used before."""
    tried = case(seed)
    with ExitStack() as changes:
        changes.enter_context(patch.object(compiling, "Binding", tried.binding))
        if tried.odd:
            changes.enter_context(patch.object(conv_candidates, "CACHE_BYTES", (256, 1024)))
            changes.enter_context(patch.object(conv_candidates, "LARGEST_NARROW", 20))
            changes.enter_context(patch.object(channel_conv, "SUMS_BYTES", 4096))
            changes.enter_context(patch.object(channel_conv, "PIECE_TAPS", 8))
            changes.enter_context(patch.object(winograd, "INPUT_BYTES", 4096))
            changes.enter_context(patch.object(winograd, "FEWEST_WINDOWS", 1))
            changes.enter_context(patch.object(convolution, "DENSE_ABOVE", -1.0))
            shuffled = partial(_shuffled, np.random.default_rng(seed))
            changes.enter_context(patch.object(convolution, "rank_ways", shuffled))
        compiled = program(tried.graph, **tried.options)
    with compiled:
        for _ in range(2):
            assert_allowed(tried.graph, tried.x, compiled(tried.x), TOLERANCE)


def _shuffled(rng: np.random.Generator, ways: list[Way]) -> list[Way]:
    """Return the ways in any order, each kind of kernel as likely to be first as the others."""
    kinds = list(dict.fromkeys(type(way.kernel) for way in ways))
    ways = [ways[i] for i in rng.permutation(len(ways))]
    kind = kinds[int(rng.integers(len(kinds)))]
    return sorted(ways, key=lambda way: type(way.kernel) is not kind)


def run_apart(first: int, count: int) -> None:
    """Check `count` seeds in a new process; raise AssertionError, naming a seed, if one fails."""
    command = [sys.executable, "-m", __spec__.name, str(first), str(count)]
    done = subprocess.run(
        command,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "GOSSAMER_CACHE": ""},
        capture_output=True,
        text=True,
        timeout=1200,
    )
    last = done.stdout.rsplit("seed ", 1)[-1].strip()
    assert done.returncode == 0, f"seed {last}: status {done.returncode}\n{done.stderr[-4000:]}"


def main(first: int, count: int) -> str | int:
    """Check all, also after one failed; return what to exit with."""
    failed = []
    faulthandler.enable()
    for seed in range(first, first + count):
        print("seed", seed, flush=True)
        try:
            check(seed)
        except Exception:
            failed.append(seed)
            print(f"seed {seed}", case(seed), traceback.format_exc(), sep="\n", file=sys.stderr)
    return f"failed: {failed}" if failed else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
