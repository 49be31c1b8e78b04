"""Engines written in C++ print what they please; this keeps it out of what a program prints."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

_STDOUT = 1


@contextmanager
def quiet() -> Iterator[None]:
    """Discard what is printed on standard output in the block, by Python or by a library."""
    sys.stdout.flush()
    kept = os.dup(_STDOUT)
    try:
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):  # noqa: PTH123
            os.dup2(nowhere.fileno(), _STDOUT)
            yield
    finally:
        os.dup2(kept, _STDOUT)
        os.close(kept)
