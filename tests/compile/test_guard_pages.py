"""The guard pages catch what they are for (the random graphs are what they are used on)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the system has no mprotect")

FAULTY_READ = """
import numpy as np
from gossamer.compile import compile as compiling
from gossamer.compile.kernels import elementwise
from gossamer.graph.ops import Add
from tests.compile import guard_pages
from tests.compile.graphs import program, single

def faulty(e, pointer, offset=0):
    return e.load(e.vector, e.at(pointer, {shift}), offset)

elementwise.KernelEmitter.load_vector = faulty
compiling.Binding = guard_pages.{binding}
graph = single(Add(), (1, 3, 5, 5))
with program(graph, lanes=4) as compiled:
    print(compiled(np.ones((1, 3, 5, 5), np.float32)).sum())
"""


@pytest.mark.parametrize(
    ("binding", "shift", "ends"),
    [
        ("GuardedBinding", 0, False),
        ("GuardedBinding", 4, True),
        ("GuardedFromBelow", 0, False),
        ("GuardedFromBelow", -4, True),
    ],
)
def test_reading_one_number_beside_a_buffer_ends_the_process(
    binding: str, shift: int, ends: bool
) -> None:
    done = run(FAULTY_READ.format(binding=binding, shift=shift))
    assert done.returncode == (-signal.SIGSEGV if ends else 0), done.stderr
    assert done.stdout == ("" if ends else "150.0\n")


@pytest.mark.parametrize("place", ["table[-1:]", "table[:1]"])
def test_tables_cannot_be_written(place: str) -> None:
    code = f"""
import ctypes
import numpy as np
from tests.compile.guard_pages import GuardedBinding
table = GuardedBinding.table(None, np.arange(3, dtype=np.int64))
assert table.view(np.int64).tolist() == [0, 1, 2]
ctypes.memset({place}.ctypes.data, 1, 1)
"""
    assert run(code).returncode == -signal.SIGSEGV


def run(code: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "GOSSAMER_CACHE": ""},  # what is kept there is right
        capture_output=True,
        text=True,
    )
