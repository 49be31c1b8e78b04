from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from gossamer.compile import timings as timings_file
from gossamer.compile.kernels.linear import LinearKernel
from gossamer.compile.step import Buffer, Choice, Step
from gossamer.compile.timings import Timings
from gossamer.jit.target import host_target

TARGET = host_target()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOSSAMER_CACHE", str(tmp_path))
    return tmp_path


def step(variants: Sequence[str], macs: int = 1000, nonzero: int = 100, size: int = 64) -> Step:
    choices = tuple(Choice(LinearKernel(), dict, variant) for variant in variants)
    return Step("node", choices, (Buffer("x", size),), macs, nonzero)


def times(**known: float) -> dict[str, float]:
    return {f"{LinearKernel().label()}-{variant}": time for variant, time in known.items()}


def test_equal_steps_share_what_was_measured(folder: Path) -> None:
    timings = Timings(TARGET, 1)
    assert timings.find(step("ab")) is None
    timings.add(step("ab"), times(a=2.0, b=1.0))
    for same in (step("ab"), step("ab", nonzero=101), step("bc"), step("b")):
        assert timings.find(same) == times(a=2.0, b=1.0)
    others = (
        step("ab", macs=1001),
        step("ab", nonzero=120),
        step("ab", size=128),
        step("ac"),  # without the fastest
    )
    assert [timings.find(other) for other in others] == [None] * 4


def test_choices_of_two_sorts_are_both_remembered(folder: Path) -> None:
    timings = Timings(TARGET, 1)
    timings.add(step("ab"), times(a=2.0, b=1.0))
    timings.add(step("cd"), times(c=2.0, d=3.0))
    assert timings.find(step("ab")) == times(a=2.0, b=1.0)
    assert timings.find(step("cd")) == times(c=2.0, d=3.0)


def test_the_next_process_knows(folder: Path) -> None:
    Timings(TARGET, 1).add(step("ab"), times(a=2.0, b=1.0))
    assert Timings(TARGET, 1).find(step("ab")) == times(a=2.0, b=1.0)
    assert Timings(TARGET, 2).find(step("ab")) is None
    assert Timings(replace(TARGET, cpu="another"), 1).find(step("ab")) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"null",
        b"3",
        b'{"a": 1.0}',
        b"[[]]",
        b"[{}]",
        b'[{"a": "fast"}]',
        b'[{"a": NaN}]',
        b'[{"a": -Infinity}]',
        b"[" * 100_000,
    ],
)
def test_what_does_not_hold_times_is_measured_again(
    folder: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timings_file, "recall", lambda key: content)
    timings = Timings(TARGET, 1)
    assert timings.find(step("ab")) is None
    timings.add(step("ab"), times(a=1.0))
    assert timings.find(step("ab")) == times(a=1.0)


def test_what_is_kept_for_a_kind_is_bounded(folder: Path) -> None:
    timings = Timings(TARGET, 1)
    for number in range(50):
        timings.add(step([str(number)]), times(**{str(number): 1.0}))
    assert timings.find(step(["49"])) is not None
    assert timings.find(step(["0"])) is None
    (path,) = folder.iterdir()
    assert len(json.loads(path.read_bytes()[32:])) < 50


def test_another_likeliest_choice_is_measured() -> None:
    """Zeros in blocks: as many of them, but another kernel is likely to be the fastest."""
    timings = Timings(TARGET, 1)
    timings.add(step("ab"), times(a=2.0, b=1.0))
    assert timings.find(step("cab")) is None
    assert timings.find(step("ba")) == times(a=2.0, b=1.0)
