"""The identity of the code that makes kernels: what it made before is not what it makes now."""

from __future__ import annotations

from functools import lru_cache
from math import inf
from pathlib import Path
from time import time

from gossamer.jit.cache import digest

_IMPORTED_S = time()
_CLOCK_SLACK_S = 2.0
"""Some file systems note times in steps of two seconds."""


@lru_cache(maxsize=1)
def generator_digest() -> str:
    """Return a digest of the sources of `gossamer.compile` and `gossamer.jit`.

    It is empty if there are none, or one changed since they were imported: what is on disk may then
    not be what runs, and nothing should be kept under its name.
    """
    folder = Path(__file__).parent
    sources = sorted([*folder.rglob("*.py"), *(folder.parent / "jit").glob("*.py")])
    changed_s = max((path.stat().st_ctime for path in sources), default=inf)
    if changed_s > _IMPORTED_S - _CLOCK_SLACK_S:
        return ""
    return digest(*(path.read_bytes() for path in sources))
