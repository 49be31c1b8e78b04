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
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from gossamer.compile import compile as compiling
from gossamer.compile.bind import Binding
from gossamer.compile.lowering import (
    channel_conv,
    code_candidates,
    code_convolution,
    conv_candidates,
    convolution,
    direct_conv,
    linear,
    winograd_windows,
)
from gossamer.compile.lowering.conv_ways import Way
from gossamer.compile.step import Choice
from gossamer.graph import Graph
from gossamer.graph.activations import ACTIVATIONS, leaky_relu
from gossamer.graph.interpret import interpret
from gossamer.jit.target import Target
from tests.compile.code_graphs import random_code_graph
from tests.compile.graphs import program, target_with
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
        options: lanes, instruction set, threads, and what kernels are chosen by.
        binding: what places memory.
        dot: how products of bytes are added; empty if the graph has none. Such graphs are exact.
        odd: whether caches and offsets count as small, so that small layers are treated as large,
            and any kernel may run.
    """

    graph: Graph
    x: np.ndarray
    options: dict
    binding: type[Binding]
    odd: bool
    dot: str = ""


DOTS = {"avx512": ("vnni", "madd", "short", "plain"), "avx2": ("madd", "short", "plain")}
"""Ways to add products of bytes that are tried, by vector extension."""


def case(seed: int) -> Case:
    """Return the case of a seed; most lie between guard pages.

    Seeds of one block have vector width and activations in common, and so many kernels.
    """
    block = np.random.default_rng([seed // BLOCK])
    lanes, isa = WAYS[int(block.integers(len(WAYS)))]
    activations = ["identity", "relu", *block.choice((*ACTIVATIONS, leaky_relu(0.1)), 2)]
    rng = np.random.default_rng(seed)
    has_codes = rng.random() < 0.3
    graph = random_code_graph(rng) if has_codes else random_graph(rng, activations)
    x = rng.standard_normal((int(rng.integers(1, 3)), *graph.input.example[1:])).astype(np.float32)
    dot = ""
    if has_codes:
        x = np.rint(64 * x) / 16
        dot = str(rng.choice(dots_of(target_with(lanes, isa))))
    elif rng.random() < 0.3:
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
    binding = bindings[int(rng.integers(len(bindings)))]
    options["least_memory"] = bool(rng.random() < 0.3)
    return Case(graph, x, options, binding, bool(odd), dot)


def dots_of(target: Target) -> tuple[str, ...]:
    """Return the ways to add products of bytes that a target has, the slower ones, too."""
    ways = DOTS.get(target.isa, target.dots)
    return tuple(
        dict.fromkeys(dot for dot in (*ways, "plain") if dot != "vnni" or dot in target.dots)
    )


def check(seed: int) -> None:
    """Compare a case with the interpreter, twice: the second time the memory was used before."""
    tried = case(seed)
    with ExitStack() as changes:
        changes.enter_context(patch.object(compiling, "Binding", tried.binding))
        if tried.odd:
            changes.enter_context(any_kernel(seed))
        if tried.dot:
            dots = property(lambda _: (tried.dot,))
            changes.enter_context(patch.object(Target, "dots", dots))
        compiled = program(tried.graph, **tried.options)
    with compiled:
        for _ in range(2):
            if tried.dot:
                expected = interpret(tried.graph, tried.x)
                np.testing.assert_array_equal(compiled(tried.x), expected)
            else:
                assert_allowed(tried.graph, tried.x, compiled(tried.x), TOLERANCE)


@contextmanager
def any_kernel(seed: int) -> Iterator[None]:
    """While this lasts, small layers are treated as large, and any kernel may come first."""
    with ExitStack() as changes:
        conv_candidates._sparse_kernels.cache_clear()
        changes.callback(conv_candidates._sparse_kernels.cache_clear)
        changes.enter_context(patch.object(conv_candidates, "CACHE_SHARES", (2**-7, 2**-9)))
        changes.enter_context(patch.object(direct_conv, "MOST_WAYS", 10**6))
        changes.enter_context(patch.object(direct_conv, "FAR_BYTES", 0))
        changes.enter_context(patch.object(conv_candidates, "LARGEST_NARROW", 20))
        changes.enter_context(patch.object(channel_conv, "SUMS_SHARE", 0.125))
        changes.enter_context(patch.object(channel_conv, "TAP_BYTES", 4096))
        changes.enter_context(patch.object(winograd_windows, "INPUT_BYTES", 4096))
        changes.enter_context(patch.object(winograd_windows, "FEWEST_WINDOWS", 1))
        changes.enter_context(patch.object(convolution, "DENSE_ABOVE", -1.0))
        shuffled = partial(_shuffled, np.random.default_rng(seed))
        changes.enter_context(patch.object(convolution, "rank_ways", shuffled))
        changes.enter_context(patch.object(code_candidates, "LARGEST_NARROW", 20))
        in_any_order = _in_any_order(np.random.default_rng(seed), linear._Layer.choices)
        changes.enter_context(patch.object(linear._Layer, "choices", in_any_order))
        shuffled = partial(_shuffled_for_codes, np.random.default_rng(seed))
        changes.enter_context(patch.object(code_convolution, "code_candidates", shuffled))
        yield


def _shuffled(rng: np.random.Generator, ways: list[Way]) -> list[Way]:
    """Return the ways in any order, each kind of kernel as likely to be first as the others."""
    kinds = list(dict.fromkeys(type(way.kernel) for way in ways))
    ways = [ways[i] for i in rng.permutation(len(ways))]
    kind = kinds[int(rng.integers(len(kinds)))]
    return sorted(ways, key=lambda way: type(way.kernel) is not kind)


def _in_any_order(
    rng: np.random.Generator, choices: Callable[..., Iterator[Choice]]
) -> Callable[..., list[Choice]]:
    def shuffled(layer: Any, **which: bool) -> list[Choice]:
        found = list(choices(layer, **which))
        return [found[i] for i in rng.permutation(len(found))]

    return shuffled


def _shuffled_for_codes(rng: np.random.Generator, *args: Any, **options: Any) -> list:
    with patch.object(code_candidates, "MOST_CHOICES", 100):
        found = code_candidates.code_candidates(*args, **options)
    return [found[i] for i in rng.permutation(len(found))]


def run_apart(first: int, count: int, cache: str | Path = "") -> None:
    """Check `count` seeds in a new process; raise AssertionError, naming a seed, if one fails.

    Args:
        first: seed.
        count: of seeds.
        cache: folder of machine code that other processes may have made; none unless given.
    """
    command = [sys.executable, "-m", __spec__.name, str(first), str(count)]
    done = subprocess.run(
        command,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "GOSSAMER_CACHE": str(cache)},
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
