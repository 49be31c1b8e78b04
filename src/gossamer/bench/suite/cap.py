"""Holding engines to an older instruction set, for a table of another class of machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from gossamer.jit.target import Target


@dataclass(frozen=True)
class Cap:
    """How engines are held to an instruction set.

    Args:
        environment: variables for the process that measures, which rivals read at start.
        unable: engine → why it cannot be held; it is not measured.
        forbidden: prefixes of LLVM features that our code must not use.
        lanes: float32 numbers in one of our vectors.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    unable: Mapping[str, str] = field(default_factory=dict)
    forbidden: tuple[str, ...] = ()
    lanes: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "environment", MappingProxyType(dict(self.environment)))
        object.__setattr__(self, "unable", MappingProxyType(dict(self.unable)))


_ASKS_PROCESSOR = "asks the processor itself and cannot be held to AVX2"

CAPS: Mapping[str, Cap] = MappingProxyType(
    {
        "host": Cap(),
        # MNN's wheel has no AVX-512 code.
        "avx2": Cap(
            environment={"ONEDNN_MAX_CPU_ISA": "AVX2"},
            # DeepSparse has NM_ARCH, which does not change the code that it generates.
            unable=dict.fromkeys(
                ("onnxruntime", "onnxruntime-int8", "deepsparse"), _ASKS_PROCESSOR
            ),
            forbidden=("avx512", "avxvnni", "avx10", "amx"),
            lanes=8,
        ),
    }
)
"""Name of an instruction set → how engines are held to it."""


def capped(target: Target, name: str) -> Target:
    """Return the target without what lies beyond an instruction set of `CAPS`.

    Examples:
        >>> wide = Target("x86_64-linux", "znver5", "+avx2,+avx512f,+fma", 16, "avx512")
        >>> capped(wide, "avx2").features
        '+avx2,-avx512f,+fma'
    """
    cap = CAPS[name]
    if not cap.forbidden or target.lanes <= cap.lanes:
        return target
    features = ",".join(
        f"-{feature[1:]}" if feature[1:].startswith(cap.forbidden) else feature
        for feature in target.features.split(",")
    )
    return replace(target, features=features, lanes=cap.lanes, isa=name)
