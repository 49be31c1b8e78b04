"""What measuring found, for equal layers of this network and, on disk, for the next time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite, log2

from gossamer.compile.generator import generator_digest
from gossamer.compile.step import Step
from gossamer.jit.cache import digest, keep, recall
from gossamer.jit.target import Target

_MOST_KEPT = 8
"""Measurements kept for steps of one kind, whose choices differ."""

Times = Mapping[str, float]
"""Label of a choice → its time in microseconds."""


class Timings:
    """Times of choices, by kind of step.

    Steps are of one kind if they read and write as many bytes and have as many MACs, those that
    are not zero to within five percent: which of them are zero hardly matters for the time.

    Args:
        target: on which was measured.
        threads: over which the work was shared out.
    """

    def __init__(self, target: Target, threads: int) -> None:
        self._place = repr((target, threads))
        self._known: dict[str, list[Times]] = {}

    def find(self, step: Step) -> Times | None:
        """Return the times of a step of the same kind, if they serve for this one.

        They do if the choice that is the likeliest here was measured there (zeros in blocks make
        other choices likely than zeros one by one), and the fastest there is a choice here.
        """
        likeliest, labels = step.choices[0].label, {choice.label for choice in step.choices}
        found = (t for t in self.of_kind(self.kind(step)) if likeliest in t)
        return next((t for t in found if min(t, key=lambda label: t[label]) in labels), None)

    def add(self, step: Step, times: Times) -> None:
        """Remember what was measured for a step."""
        self.note(self.kind(step), times)

    def kind(self, step: Step) -> str:
        """Return what steps of the same kind have in common."""
        sizes = [buffer.size_bytes for buffer in step.buffers]
        return self.key("timings", (sizes, (step.macs, rounded(step.effective_macs))))

    def key(self, what: str, kind: object) -> str:
        """Return the key of what was measured here of things of one kind, told by its `repr`."""
        return digest(what, generator_digest(), self._place, repr(kind))

    def of_kind(self, key: str) -> list[Times]:
        """Return what was measured of things of one kind, the last first."""
        if key not in self._known:
            self._known[key] = _parse(recall(key))
        return self._known[key]

    def note(self, key: str, times: Times) -> None:
        """Remember what was measured of a thing of one kind."""
        self._known[key] = [times, *self.of_kind(key)][:_MOST_KEPT]
        keep(key, json.dumps(self._known[key]).encode())


def rounded(count: float) -> int:
    """Return a number that is the same for counts that differ by five percent or less, mostly."""
    return round(14 * log2(max(count, 1)))


def _parse(data: bytes | None) -> list[Times]:
    """Return kept times; nothing if that is not what the bytes hold."""
    try:
        found = json.loads(data or b"[]")
    except (ValueError, RecursionError):
        return []
    return found if isinstance(found, list) and all(_are_times(times) for times in found) else []


def _are_times(times: object) -> bool:
    return (
        isinstance(times, dict)
        and len(times) > 0
        and all(isinstance(time, float) and isfinite(time) for time in times.values())
    )
