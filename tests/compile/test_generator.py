from __future__ import annotations

from pathlib import Path

import pytest

from gossamer.compile import generator
from gossamer.compile.generator import generator_digest


@pytest.fixture(autouse=True)
def _asked_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A package of two files, imported long after they were written."""
    (tmp_path / "compile").mkdir()
    (tmp_path / "compile" / "conv.py").write_text("one kernel")
    (tmp_path / "jit").mkdir()
    (tmp_path / "jit" / "emitter.py").write_text("its helpers")
    monkeypatch.setattr(generator, "__file__", str(tmp_path / "compile" / "generator.py"))
    monkeypatch.setattr(generator, "_IMPORTED_S", generator._IMPORTED_S + 1e6)
    monkeypatch.setattr(generator, "generator_digest", generator_digest.__wrapped__)


def test_equal_sources_have_equal_digests() -> None:
    assert generator.generator_digest() == generator.generator_digest() != ""


@pytest.mark.parametrize("name", ["compile/conv.py", "jit/emitter.py", "compile/new.py"])
def test_other_sources_have_other_digests(name: str, tmp_path: Path) -> None:
    before = generator.generator_digest()
    (tmp_path / name).write_text("another kernel")
    assert generator.generator_digest() not in ("", before)


def test_a_source_changed_after_it_was_imported_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = (tmp_path / "compile" / "conv.py").stat().st_ctime
    monkeypatch.setattr(generator, "_IMPORTED_S", changed - 1)
    assert generator.generator_digest() == ""


def test_without_sources_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator, "__file__", str(tmp_path / "nowhere" / "deep" / "generator.py"))
    assert generator.generator_digest() == ""
