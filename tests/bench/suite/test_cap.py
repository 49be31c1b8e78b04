import dataclasses

import numpy as np
import pytest

from gossamer.bench.engines import ENGINES
from gossamer.bench.suite.cap import CAPS, capped
from gossamer.bench.suite.measure import Conditions, compile_for
from gossamer.graph import interpret
from gossamer.jit.target import Target, host_target

WIDE = Target("x86_64-linux", "znver5", "+avx2,+avx512f,-avx512er,+avxvnni,+fma", 16, "avx512")


def test_the_host_is_not_held():
    assert capped(WIDE, "host") == WIDE


def test_what_lies_beyond_is_forbidden():
    held = capped(WIDE, "avx2")
    assert held.features == "+avx2,-avx512f,-avx512er,-avxvnni,+fma"
    assert (held.lanes, held.isa, held.cpu) == (8, "avx2", "znver5")


def test_a_narrower_machine_stays_as_it_is():
    narrow = dataclasses.replace(WIDE, features="+neon", lanes=4, isa="neon")
    assert capped(narrow, "avx2") == narrow


def test_who_cannot_be_held_is_an_engine():
    assert all(set(cap.unable) <= set(ENGINES) for cap in CAPS.values())


@pytest.mark.skipif(host_target().isa != "avx512", reason="this machine has no AVX-512")
def test_a_held_program_computes_the_same(subject, x):
    with compile_for(subject.graph, Conditions(isa="avx2")) as program:
        assert program(x) == pytest.approx(interpret(subject.graph, x), abs=1e-4)
        assert np.isfinite(program(x)).all()
