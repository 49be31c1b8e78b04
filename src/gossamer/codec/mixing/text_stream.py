"""Texts in the form of a file's header, by a model that has read such a text before."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from gossamer.codec.mixing.coded import CodedStream, fresh_slots, fresh_weights
from gossamer.codec.mixing.mixer import INPUTS, LEARNING, MOST_USES, TWICE
from gossamer.codec.mixing.text import (
    AHEAD,
    HELD,
    MATCHES,
    REFINE,
    SLOTS,
    WEIGHTS,
    code_text,
)
from gossamer.errors import FormatError
from gossamer.jit.loop import Loop

LONGEST_TEXT = 2**18
"""In bytes; reading one takes some tenths of a second."""
_START_WEIGHT = 65536 * 3 // 10
_LEARNING = 1200
_MOST_USES = 255
_CODE_TEXT = Loop(code_text)


class TextStream(CodedStream):
    """One text in an arithmetic code of its own.

    Args:
        data: to read; None to write.
        primer: what the model has read before.
        plain: run the loop as plain Python, for tests.
    """

    def __init__(
        self, data: bytes | memoryview | None = None, *, primer: bytes = b"", plain: bool = False
    ) -> None:
        slots = fresh_slots(SLOTS, REFINE)
        weights = fresh_weights(WEIGHTS // INPUTS, _START_WEIGHT)
        super().__init__(data, slots, weights, plain)
        self._state[LEARNING], self._state[TWICE] = _LEARNING, 1
        self._state[MOST_USES] = _MOST_USES
        self._text = np.zeros(AHEAD, np.uint8)
        self._places, self._held = np.zeros(MATCHES, np.int32), np.zeros(HELD, np.int64)
        if primer:
            self._learn(primer)

    def text(self, value: bytes | int) -> bytes:
        """Code a text, or, to read, one of so many bytes."""
        count = value if isinstance(value, int) else len(value)
        if count > LONGEST_TEXT:
            raise FormatError("too long a text", got=count, expected=f"≤ {LONGEST_TEXT} bytes")
        start = len(self._text)
        more = np.zeros(count, np.uint8) if isinstance(value, int) else np.frombuffer(value, "u1")
        self._text = np.concatenate([self._text, more])
        self._run(
            _CODE_TEXT,
            8 * count,
            *(*self._mixing, self._text, self._places, self._held, start, start + count),
        )
        return self._text[start:].tobytes()

    def _learn(self, primer: bytes) -> None:
        """Let the model read a text: what another stream, which is thrown away, does to it."""
        teacher = TextStream(plain=self._plain) if self._plain else _taught(primer)
        if self._plain:
            teacher.text(primer)
        self._slots, self._weights = teacher._slots.copy(), teacher._weights.copy()
        self._text = teacher._text
        self._places, self._held = teacher._places.copy(), teacher._held.copy()


@lru_cache(maxsize=1)
def _taught(primer: bytes) -> TextStream:
    teacher = TextStream()
    teacher.text(primer)
    return teacher


@lru_cache(maxsize=1)
def primer() -> bytes:
    """Return what the model of headers has read: `primer.txt`, without the end of its line."""
    return Path(__file__).with_name("primer.txt").read_bytes().rstrip(b"\n")


def write_text(text: bytes) -> bytes:
    """Return a text by the model of headers."""
    stream = TextStream(primer=primer())
    stream.text(text)
    return stream.finish()


def read_text(data: bytes | memoryview, count: int) -> bytes:
    """Return a text of so many bytes; raises FormatError if it is not well coded."""
    stream = TextStream(data, primer=primer())
    found = stream.text(count)
    stream.finish()
    return found
