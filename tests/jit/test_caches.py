"""The sizes of caches, as Linux describes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gossamer.jit.caches import TYPICAL_BYTES, cache_bytes

ZEN = (("1", "Data", "48K"), ("1", "Instruction", "32K"), ("2", "Unified", "1M"))


def described(folder: Path, caches: tuple[tuple[str, str, str], ...]) -> Path:
    for index, values in enumerate(caches):
        place = folder / f"index{index}"
        place.mkdir()
        for name, value in zip(("level", "type", "size"), values, strict=True):
            (place / name).write_text(f"{value}\n")
    return folder


def test_the_sizes_are_read(tmp_path: Path) -> None:
    assert cache_bytes(described(tmp_path, ZEN)) == (48 * 1024, 1024**2)


@pytest.mark.parametrize(
    "caches",
    [
        (),
        (("1", "Data", "48K"),),
        (("1", "Data", "much"), ("2", "Unified", "1024K")),
        (("1", "Data", ""), ("2", "Unified", "1024K")),
        (("1", "Data", "0K"), ("2", "Unified", "1024K")),
        (("1", "Data", "2048K"), ("2", "Unified", "1024K")),
    ],
    ids=["none", "no second", "no number", "empty", "zero", "upside down"],
)
def test_typical_sizes_stand_in(tmp_path: Path, caches: tuple) -> None:
    assert cache_bytes(described(tmp_path, caches)) == TYPICAL_BYTES
    assert cache_bytes(tmp_path / "nowhere") == TYPICAL_BYTES
