from __future__ import annotations

from dataclasses import replace

import pytest

from gossamer.errors import SpecError
from gossamer.jit.target import Target, host_target, narrowed

WIDE = Target("x86_64-linux", "znver5", "+avx2,+avx512f,-avx512er,+avxvnni,+fma", 16, "avx512")


def test_the_host_is_all_of_it() -> None:
    assert narrowed(WIDE, "host") == narrowed(WIDE, "avx512") == WIDE
    assert narrowed(host_target(), "host") == host_target()


def test_what_lies_beyond_is_forbidden() -> None:
    held = narrowed(WIDE, "avx2")
    assert held.features == "+avx2,-avx512f,-avx512er,-avxvnni,+fma"
    assert (held.lanes, held.isa, held.cpu) == (8, "avx2", "znver5")


def test_portable_is_the_least_of_an_architecture() -> None:
    held = narrowed(narrowed(WIDE, "avx2"), "portable")
    assert (held.cpu, held.features, held.lanes) == ("x86-64", "", 4)
    arm = Target("aarch64-unknown-linux-gnu", "apple-m1", "+neon,+sve", 4, "neon")
    assert (narrowed(arm, "portable").cpu, narrowed(arm, "portable").lanes) == ("generic", 4)


@pytest.mark.parametrize("isa", ["avx512", "neon", "AVX2", "", "sse2"])
def test_what_a_processor_does_not_have_is_refused(isa: str) -> None:
    narrow = replace(narrowed(WIDE, "avx2"))
    with pytest.raises(SpecError, match="expected 'host' or 'avx2' or 'portable'"):
        narrowed(narrow, isa)
