"""Holding rivals to an older instruction set, for a table of another class of machine.

Our own programs are held by the `target` that `gossamer.compile` takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True)
class Cap:
    """How rivals are held to an instruction set.

    Args:
        environment: variables for the process that measures, which rivals read at start.
        unable: engine → why it cannot be held; it is not measured.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    unable: Mapping[str, str] = field(default_factory=dict)

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
        ),
    }
)
"""Name of an instruction set, as `gossamer.compile` takes it → how rivals are held to it."""
