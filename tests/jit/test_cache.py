from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gossamer.jit import cache
from gossamer.jit.cache import cache_folder, digest, keep, recall, trim

KEY = digest("key")
DATA = bytes(range(256)) * 20


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "cache"
    monkeypatch.setenv("GOSSAMER_CACHE", str(path))
    return path


def kept(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


@pytest.mark.parametrize("data", [b"", DATA])
def test_what_is_kept_is_recalled(folder: Path, data: bytes) -> None:
    assert recall(KEY) is None
    keep(KEY, data)
    assert recall(KEY) == data
    assert recall(digest("another")) is None
    keep(KEY, b"newer")
    assert recall(KEY) == b"newer"


def test_only_the_owner_may_look_and_write(folder: Path) -> None:
    keep(KEY, DATA)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert kept(folder).stat().st_mode & 0o777 == 0o600


def test_no_part_of_a_key_runs_into_the_next() -> None:
    assert len({digest("ab"), digest("a", "b"), digest("", "ab"), digest(b"ab", "")}) == 4


@pytest.mark.parametrize("position", [0, 31, 32, -1])
def test_a_changed_byte_is_noticed_and_the_file_written_anew(folder: Path, position: int) -> None:
    keep(KEY, DATA)
    damaged = bytearray(kept(folder).read_bytes())
    damaged[position] ^= 1
    kept(folder).write_bytes(damaged)
    assert recall(KEY) is None
    keep(KEY, DATA)
    assert recall(KEY) == DATA


@pytest.mark.parametrize("length", [0, 1, 31, 32, 33, 5000])
def test_a_file_cut_short_is_ignored(folder: Path, length: int) -> None:
    keep(KEY, DATA)
    kept(folder).write_bytes(kept(folder).read_bytes()[:length])
    assert recall(KEY) is None


def test_a_file_under_another_name_is_ignored(folder: Path) -> None:
    keep(KEY, DATA)
    kept(folder).rename(folder / f"{digest('other')}.kept")
    assert recall(digest("other")) is None


@pytest.mark.parametrize("mode", [0o602, 0o620, 0o666])
def test_a_file_that_others_may_write_is_ignored(folder: Path, mode: int) -> None:
    keep(KEY, DATA)
    kept(folder).chmod(mode)
    assert recall(KEY) is None


def test_a_file_of_somebody_else_is_ignored(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(KEY, DATA)
    monkeypatch.setattr(os, "geteuid", lambda: kept(folder).stat().st_uid + 1)
    assert recall(KEY) is None


def test_links_folders_and_pipes_are_ignored(folder: Path) -> None:
    keep(KEY, DATA)
    path = kept(folder)
    path.rename(folder / "real")
    path.symlink_to(folder / "real")
    assert recall(KEY) is None
    path.unlink()
    path.mkdir()
    assert recall(KEY) is None
    keep(KEY, DATA)  # cannot replace a folder, and says nothing
    path.rmdir()
    os.mkfifo(path)
    assert recall(KEY) is None


def test_an_empty_setting_turns_it_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOSSAMER_CACHE", "")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    keep(KEY, DATA)
    assert recall(KEY) is None
    assert cache_folder() is None
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("GOSSAMER_CACHE", str(tmp_path / "file" / "cache"))
    keep(KEY, DATA)
    assert recall(KEY) is None


def test_a_folder_that_cannot_be_written_is_still_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(KEY, DATA)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    # Whoever runs the tests as root may write anywhere: refuse in the system's place.
    for name in ("open", "utime", "unlink", "mkdir", "rename", "replace"):
        real = getattr(os, name)
        allowed = name == "open"
        monkeypatch.setattr(
            os,
            name,
            lambda path, flags=0, *rest, real=real, allowed=allowed, **options: (
                real(path, flags, *rest) if allowed and not flags & os.O_WRONLY else refuse()
            ),
        )
    keep(digest("more"), DATA)
    assert recall(KEY) == DATA
    assert recall(digest("more")) is None


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="folders of Linux")
def test_the_platform_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOSSAMER_CACHE")
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert cache_folder() == Path("/elsewhere/gossamer")
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    assert cache_folder() == Path("/home/somebody/.cache/gossamer")


def test_the_files_not_used_for_longest_go(folder: Path) -> None:
    keys = [digest(str(number)) for number in range(6)]
    for number, key in enumerate(keys):
        keep(key, DATA)  # two blocks of 4096 bytes each
        os.utime(folder / f"{key}.kept", (number, number))
    recall(keys[0])  # used: now the newest
    stranger = folder / "somebody's thesis.txt"
    stranger.write_bytes(DATA * 9)
    os.utime(stranger, (0, 0))
    trim(folder, 6 * 4096)
    assert [recall(key) is not None for key in keys] == [True, False, False, False, True, True]
    assert stranger.exists()


def test_leftovers_of_killed_processes_go(folder: Path) -> None:
    keep(KEY, DATA)
    leftover = folder / f".{KEY}.kept.123.partial"
    leftover.write_bytes(DATA)
    os.utime(leftover, (0, 0))
    trim(folder, 2 * 4096)
    assert kept(folder).name == f"{KEY}.kept"


def test_writing_trims_now_and_then(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(cache, "trim", lambda path: seen.append(len(list(path.iterdir()))))
    for number in range(2000):
        keep(digest(str(number)), b"")
    assert 2 <= len(seen) <= 20


def test_two_processes_may_write_the_same_key(folder: Path) -> None:
    script = (
        "from gossamer.jit.cache import *\n"
        "data = bytes(range(256)) * 4000\n"
        "for _ in range(100):\n"
        "    keep(digest('key'), data)\n"
        "    assert recall(digest('key')) == data\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(2)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0]
    assert recall(KEY) == bytes(range(256)) * 4000
    assert kept(folder)
