"""What the machine that code is generated for can do."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import llvmlite.binding as llvm


@dataclass(frozen=True)
class Target:
    """A processor.

    Args:
        triple: LLVM's name of architecture and system, for example "x86_64-unknown-linux-gnu".
        cpu: LLVM's name of the processor.
        features: LLVM's feature string, for example "+avx2,+fma".
        lanes: float32 numbers in one vector register: 16 with AVX-512, 8 with AVX, else 4.
        isa: short name of the vector extension, for kernel names and reports.
    """

    triple: str
    cpu: str
    features: str
    lanes: int
    isa: str

    @property
    def vector_bytes(self) -> int:
        """Bytes of one vector register."""
        return 4 * self.lanes


@lru_cache(maxsize=1)
def initialise_llvm() -> None:
    """Make LLVM's native code generator ready; cheap after the first call."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


@lru_cache(maxsize=1)
def host_target() -> Target:
    """Return the target of this machine.

    Examples:
        >>> host_target().lanes in (4, 8, 16)
        True
    """
    initialise_llvm()
    features = dict(llvm.get_host_cpu_features())
    isa, lanes = _vector_extension(features)
    text = ",".join(f"{'+' if on else '-'}{name}" for name, on in sorted(features.items()))
    if lanes == 16:
        text += ",-prefer-256-bit"  # some processors would split every 512-bit vector
    return Target(llvm.get_process_triple(), llvm.get_host_cpu_name(), text, lanes, isa)


def _vector_extension(features: dict[str, bool]) -> tuple[str, int]:
    """Return (name, float32 lanes) of the widest extension that the kernels use."""
    if features.get("avx512f") and features.get("avx512vl"):
        return "avx512", 16
    if features.get("avx2") and features.get("fma"):
        return "avx2", 8
    if features.get("neon"):
        return "neon", 4
    return "portable", 4
