from __future__ import annotations

from pathlib import Path

import pytest

from gossamer.errors import SpecError
from gossamer.replacing import check_target, replacing


def test_the_new_file_takes_the_place_of_the_old(tmp_path: Path) -> None:
    path = tmp_path / "note"
    path.write_text("old")
    with replacing(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "note"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), replacing(path) as partial:
        partial.with_name("absent").rename(partial)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["", ".", "..", "folder"])
def test_what_is_no_file_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="not a file"), replacing(tmp_path / name):
        raise AssertionError("never begun")


def test_a_name_with_a_zero_byte_is_refused_before_anything_is_written() -> None:
    with pytest.raises(OSError, match="zero byte"), replacing("a\0b") as partial:
        raise AssertionError(partial)


def test_a_device_is_not_replaced() -> None:
    with pytest.raises(OSError, match="not a file"), replacing("/dev/null"):
        raise AssertionError("never begun")
    assert Path("/dev/null").is_char_device()


def test_a_refusal_names_the_file_of_the_user(tmp_path: Path) -> None:
    path = tmp_path / "absent" / "note"
    with pytest.raises(FileNotFoundError) as caught, replacing(path) as partial:
        partial.write_text("lost")
    assert caught.value.filename == str(path)


@pytest.mark.parametrize("name", ["a.png", "a", "absent/a.svg", ".svg", "a.svg/b.svg", "..", ""])
def test_a_target_needs_a_folder_and_the_right_ending(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.svg").touch()
    with pytest.raises(SpecError):
        check_target(tmp_path / name, ".svg")


def test_a_target_is_not_the_source(tmp_path: Path) -> None:
    check_target(tmp_path / "A.SVG", ".png", ".svg", source=tmp_path / "b.svg")
    with pytest.raises(SpecError, match="would replace the file"):
        check_target(tmp_path / "a.svg", source=tmp_path / "folder" / ".." / "a.svg")


def test_a_target_is_a_file() -> None:
    with pytest.raises(SpecError, match="not a file"):
        check_target("/dev/null")
