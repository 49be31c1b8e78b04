import pickle

import pytest
import torch
from safetensors.torch import save_file

from gossamer.errors import DataError
from gossamer.nets.weights.read import read_weights

TENSORS = {"b.weight": torch.ones(2, 3), "a.bias": torch.zeros(2)}


@pytest.mark.parametrize(
    "content",
    [
        TENSORS,
        {"state_dict": TENSORS, "best": 0.5},
        {"model": TENSORS, "epoch": 3},
        {"state_dict": {f"module.{name}": tensor for name, tensor in TENSORS.items()}},
    ],
)
def test_torch_checkpoints(tmp_path, content):
    torch.save(content, tmp_path / "net.pth")
    found = read_weights(tmp_path / "net.pth")
    assert found.ordered
    assert list(found.tensors) == ["b.weight", "a.bias"]
    assert all(torch.equal(found.tensors[name], TENSORS[name]) for name in TENSORS)


def test_safetensors_whatever_the_file_is_called(tmp_path):
    save_file(TENSORS, tmp_path / "net.bin")
    found = read_weights(tmp_path / "net.bin")
    assert not found.ordered
    assert torch.equal(found.tensors["b.weight"], TENSORS["b.weight"])


def test_a_prefix_of_some_names_is_part_of_them(tmp_path):
    torch.save({"module.a": torch.ones(1), "b": torch.ones(1)}, tmp_path / "net.pth")
    assert list(read_weights(tmp_path / "net.pth").tensors) == ["module.a", "b"]


class Hostile:
    def __reduce__(self):
        return print, ("code of the file ran",)


def test_code_in_a_file_does_not_run(tmp_path, capsys):
    (tmp_path / "net.pth").write_bytes(pickle.dumps(Hostile(), protocol=2))
    torch.save(Hostile(), tmp_path / "zip.pth")
    for name in ("net.pth", "zip.pth"):
        with pytest.raises(DataError, match="not a weight file"):
            read_weights(tmp_path / name)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "content", [b"", b"x", b"PK\x03\x04", b"\x10\0\0\0\0\0\0\0{}", b"\xff" * 8 + b"{", b"\x80\x02."]
)
def test_damaged_files(tmp_path, content):
    (tmp_path / "net").write_bytes(content)
    with pytest.raises(DataError, match="not a weight file"):
        read_weights(tmp_path / "net")


@pytest.mark.parametrize("content", [[1], {}, {"a": 1}, {1: torch.ones(1)}, {"state_dict": {}}])
def test_files_of_other_things(tmp_path, content):
    torch.save(content, tmp_path / "net.pth")
    with pytest.raises(DataError, match="no state dict"):
        read_weights(tmp_path / "net.pth")


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_weights(tmp_path / "none.pth")
    with pytest.raises(DataError, match="not a weight file"):
        read_weights(tmp_path)
