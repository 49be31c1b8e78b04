import subprocess
import sys

import pytest

import gossamer
from gossamer.codec.files import load, save
from gossamer.codec.limits import Limits
from gossamer.errors import FormatError, LimitExceededError


def test_a_graph_goes_through_a_file(small_graph, tmp_path):
    path = save(small_graph, str(tmp_path / "net.goss"))
    assert path == tmp_path / "net.goss"
    assert load(path) == small_graph
    assert [p.name for p in tmp_path.iterdir()] == ["net.goss"]


def test_the_public_names_are_these():
    assert (gossamer.save, gossamer.load) == (save, load)


def test_an_existing_file_is_replaced_or_left_alone(small_graph, tmp_path):
    path = tmp_path / "net.goss"
    path.write_text("old")
    with pytest.raises(LimitExceededError):
        save(small_graph, path, limits=Limits(entries=10))
    assert path.read_text() == "old"
    save(small_graph, path)
    assert load(path) == small_graph


def test_what_cannot_be_written_is_named(small_graph, tmp_path):
    with pytest.raises(FormatError, match=r"absent.*cannot be written"):
        save(small_graph, tmp_path / "absent" / "net.goss")
    (tmp_path / "folder.goss").mkdir()
    with pytest.raises(FormatError, match="cannot be written"):
        save(small_graph, tmp_path / "folder.goss")
    with pytest.raises(FormatError, match="not ONNX"):
        save(small_graph, tmp_path / "net.onnx")
    assert [p.name for p in tmp_path.iterdir()] == ["folder.goss"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent.goss", "no such file"),
        ("folder", "directory"),
        ("text.goss", r"not a \.goss file"),
        ("empty.goss", r"not a \.goss file"),
        ("absent.onnx", "no such file"),
        ("folder.onnx", "directory"),
        ("text.onnx", "not an ONNX model"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, name, message):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "text.onnx").write_text("hello\n" * 10)
    (tmp_path / "text.goss").write_text("hello\n" * 10)
    (tmp_path / "empty.goss").touch()
    with pytest.raises(FormatError, match=message) as error:
        load(tmp_path / name)
    assert str(error.value).startswith(str(tmp_path / name))


def test_errors_inside_name_the_file_and_the_place(small_graph, tmp_path):
    path = save(small_graph, tmp_path / "net.goss", profile="fast")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(FormatError, match=r"net\.goss: section 2: the checksum is wrong"):
        load(path)


def test_a_long_file_is_not_read(tmp_path):
    (tmp_path / "long.goss").write_bytes(bytes(1001))
    with pytest.raises(LimitExceededError, match="too long"):
        load(tmp_path / "long.goss", limits=Limits(file_bytes=1000))


@pytest.mark.parametrize("name", ["", "/", "a" * 300])
def test_impossible_names_are_refused(small_graph, name):
    for use in (load, lambda path: save(small_graph, path)):
        with pytest.raises(FormatError):
            use(name)


def test_reading_goss_files_does_not_import_what_reads_onnx():
    code = "import gossamer.codec.files, sys; sys.exit('gossamer.graph.from_onnx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
