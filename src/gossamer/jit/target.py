"""What the machine that code is generated for can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType

import llvmlite.binding as llvm

from gossamer.errors import SpecError
from gossamer.jit.caches import TYPICAL_BYTES, cache_bytes

HOST = "host"
PORTABLE = "portable"
"""What every processor of an architecture has: SSE2 on x86-64, NEON on 64-bit ARM."""

INSIDE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"avx512": ("avx2", PORTABLE), "avx2": (PORTABLE,), "neon": (PORTABLE,), PORTABLE: ()}
)
"""Vector extension → the narrower ones that its processors run, too."""
_BEYOND_AVX2 = ("avx512", "avxvnni", "avx10", "amx")
"""How LLVM's features begin that a processor of the AVX2 class does not have."""


@dataclass(frozen=True)
class Target:
    """A processor.

    Args:
        triple: LLVM's name of architecture and system, for example "x86_64-unknown-linux-gnu".
        cpu: LLVM's name of the processor.
        features: LLVM's feature string, for example "+avx2,+fma".
        lanes: float32 numbers in one vector register: 16 with AVX-512, 8 with AVX, else 4.
        isa: short name of the vector extension, for kernel names and reports.
        caches: bytes of the first cache for data and of the second, that one thread has.
    """

    triple: str
    cpu: str
    features: str
    lanes: int
    isa: str
    caches: tuple[int, int] = TYPICAL_BYTES

    @property
    def dots(self) -> tuple[str, ...]:
        """Ways to add products of bytes to 32-bit sums (`gossamer.jit.dot`).

        Examples:
            >>> Target("x86_64-unknown-linux-gnu", "haswell", "+avx2,+fma", 8, "avx2").dots
            ('madd', 'short')
        """
        has = {word[1:] for word in self.features.split(",") if word.startswith("+")}
        if "avx512vnni" in has or ("avxvnni" in has and self.lanes <= 8):
            return ("vnni",)
        if self.isa == "avx2" or "avx512bw" in has:
            return ("madd", "short")
        return ("sdot",) if self.isa == "neon" and "dotprod" in has else ("plain",)

    @property
    def vector_bytes(self) -> int:
        """Bytes of one vector register."""
        return 4 * self.lanes

    @property
    def registers(self) -> int:
        """Vector registers: AVX-512 and 64-bit ARM have twice as many as others.

        Examples:
            >>> Target("aarch64-unknown-linux-gnu", "generic", "", 4, "neon").registers
            32
        """
        return 32 if self.lanes == 16 or self.triple.startswith(("aarch64", "arm64")) else 16


@lru_cache(maxsize=1)
def initialise_llvm() -> None:
    """Make LLVM's native code generator ready; cheap after the first call."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


def without_gathers(target: Target) -> Target:
    """Return a target on which LLVM loads scattered entries one by one.

    No processor gathers faster than it loads, some take twice as long.
    """
    if not target.triple.startswith("x86_64"):
        return target
    return replace(target, features=f"{target.features},+prefer-no-gather".lstrip(","))


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
    cpu, caches = llvm.get_host_cpu_name(), cache_bytes()
    return Target(llvm.get_process_triple(), cpu, text, lanes, isa, caches)


def narrowed(target: Target, isa: str) -> Target:
    """Return a target held to a vector extension, for a processor that may have more.

    Args:
        target: of a processor.
        isa: "host" for all that it has, its own extension's name, or a narrower one's: "avx2"
            (without AVX-512 and dot products of bytes) or "portable".

    Raises:
        SpecError: if there is no such extension, or the processor does not have it.

    Examples:
        >>> wide = Target("x86_64-linux", "znver5", "+avx2,+avx512f,+fma", 16, "avx512")
        >>> narrowed(wide, "avx2").features
        '+avx2,-avx512f,+fma'
        >>> narrowed(wide, "portable").lanes
        4
    """
    if isa in (HOST, target.isa):
        return target
    known = (HOST, target.isa, *INSIDE[target.isa])
    if isa not in known:
        raise SpecError(
            "this processor does not have the instruction set, or there is none of that name",
            got=isa,
            expected=" or ".join(map(repr, known)),
        )
    if isa == PORTABLE:
        cpu = "x86-64" if target.triple.startswith("x86_64") else "generic"
        return Target(target.triple, cpu, "", 4, PORTABLE, target.caches)
    features = ",".join(
        f"-{feature[1:]}" if feature[1:].startswith(_BEYOND_AVX2) else feature
        for feature in target.features.split(",")
    )
    return replace(target, features=features, lanes=8, isa=isa)


def _vector_extension(features: dict[str, bool]) -> tuple[str, int]:
    """Return (name, float32 lanes) of the widest extension that the kernels use."""
    if features.get("avx512f") and features.get("avx512vl"):
        return "avx512", 16
    if features.get("avx2") and features.get("fma"):
        return "avx2", 8
    if features.get("neon"):
        return "neon", 4
    return "portable", 4
