"""What a measurement ran on."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_ISA = (
    *("sse4_2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512vl", "avx512bw", "avx512_vnni"),
    *("avx512_bf16", "avx_vnni", "amx_tile", "amx_int8", "asimd", "asimddp", "i8mm", "sve"),
)


@dataclass(frozen=True)
class Machine:
    """A computer, as far as it matters for time.

    Args:
        cpu: model name.
        cores: logical processors that this process may use.
        isa: vector instruction sets, as Linux names them; empty where unknown.
        system: operating system and architecture.
        python: version.
    """

    cpu: str
    cores: int
    isa: tuple[str, ...]
    system: str
    python: str

    def __str__(self) -> str:
        return f"{self.cpu}, {self.cores} cores, {self.system}, Python {self.python}"


def detect_machine() -> Machine:
    """Return the machine that this process runs on.

    Examples:
        >>> detect_machine().cores >= 1
        True
    """
    facts = parse_cpuinfo(_CPUINFO.read_text() if _CPUINFO.exists() else "")
    flags = facts.get("flags", facts.get("Features", "")).split()
    return Machine(
        cpu=facts.get("model name") or platform.processor() or "unknown processor",
        cores=usable_cores(),
        isa=tuple(name for name in _ISA if name in flags),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
    )


def usable_cores() -> int:
    """Return how many logical processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def parse_cpuinfo(text: str) -> dict[str, str]:
    """Return the fields of the first processor in Linux's `/proc/cpuinfo`.

    Examples:
        >>> parse_cpuinfo("model name : A\\nflags : avx fma\\n\\nmodel name : B\\n")
        {'model name': 'A', 'flags': 'avx fma'}
    """
    first = text.split("\n\n", 1)[0]
    pairs = (line.split(":", 1) for line in first.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}
