from __future__ import annotations

import ctypes
import gc
from dataclasses import replace
from pathlib import Path

import pytest

from gossamer.errors import CompileError
from gossamer.jit import toolchain
from gossamer.jit.target import host_target
from gossamer.jit.toolchain import Code, assembly, compile_ir

SQUARE = "define i64 @square(i64 %x) {\n  %y = mul i64 %x, %x\n  ret i64 %y\n}\n"


def test_code_runs_while_it_is_held() -> None:
    code = compile_ir(SQUARE, host_target())
    square = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(code.address("square"))
    assert square(12) == 144
    assert "square" in assembly(SQUARE, host_target())


def test_unknown_functions_are_named() -> None:
    with pytest.raises(CompileError, match=r"no such function .*cube"):
        compile_ir(SQUARE, host_target()).address("cube")


@pytest.mark.parametrize("text", ["define nonsense", "define i64 @f() {\n  ret i64 %x\n}"])
def test_bad_code_is_refused(text: str) -> None:
    with pytest.raises(CompileError, match="LLVM does not accept"):
        compile_ir(text, host_target())


def test_host_target_describes_this_machine() -> None:
    target = host_target()
    assert target.vector_bytes == 4 * target.lanes
    assert replace(target, lanes=4) != target


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOSSAMER_CACHE", str(tmp_path))
    return tmp_path


def no_llvm(*_: object) -> None:
    raise AssertionError("compiled again")


def cube(code: Code) -> int:
    return ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(code.address("cube"))(3)


CUBE = SQUARE.replace("square", "cube").replace("ret i64 %y", "%z = mul i64 %y, %x\n  ret i64 %z")


def test_known_code_is_not_compiled_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = compile_ir(CUBE, host_target())
    monkeypatch.setattr(toolchain, "parse", no_llvm)
    second = compile_ir(CUBE, host_target())
    del first
    gc.collect()
    assert cube(second) == 27


def test_other_text_processors_and_versions_are_other_code(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_ir(CUBE, host_target())
    compile_ir(SQUARE, host_target())
    assert len(list(folder.iterdir())) == 2
    compile_ir(CUBE, replace(host_target(), cpu="generic"))
    assert len(list(folder.iterdir())) == 3
    monkeypatch.setattr(toolchain.llvmlite, "__version__", "0.0")
    compile_ir(CUBE, host_target())
    assert len(list(folder.iterdir())) == 4


def test_damaged_code_is_compiled_again(folder: Path) -> None:
    compile_ir(CUBE, host_target())
    (path,) = folder.iterdir()
    good = path.read_bytes()
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 255]))
    assert cube(compile_ir(CUBE, host_target())) == 27
    assert path.read_bytes() == good


def test_bad_code_is_not_kept(folder: Path) -> None:
    for _ in range(2):
        with pytest.raises(CompileError, match="LLVM does not accept"):
            compile_ir("define nonsense", host_target())
    assert not list(folder.iterdir())


def test_without_a_cache_code_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOSSAMER_CACHE", "")
    assert cube(compile_ir(CUBE, host_target())) == 27
