import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from gossamer.errors import DataError
from gossamer.train.checkpoint import (
    Checkpoint,
    load_checkpoint,
    read_tensors,
    save_checkpoint,
    write_tensors,
)
from gossamer.train.history import EpochRecord
from gossamer.train.recipe import Recipe
from gossamer.train.registry import OPTIMISERS


def trained(name: str, width: int = 3):
    model = nn.Sequential(nn.Linear(2, width), nn.BatchNorm1d(width))
    optimiser = OPTIMISERS[name](model.parameters(), Recipe())
    model(torch.randn(4, 2, generator=torch.Generator().manual_seed(0))).square().sum().backward()
    optimiser.step()
    return model, optimiser


@pytest.mark.parametrize("name", list(OPTIMISERS))
def test_round_trip(name, tmp_path):
    model, optimiser = trained(name)
    state = Checkpoint(Recipe(epochs=9), (EpochRecord(1, 0.1 + 0.2, 0.3),))
    save_checkpoint(tmp_path / "new" / "a.safetensors", state, model, optimiser)
    other = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    fresh = OPTIMISERS[name](other.parameters(), Recipe())
    assert load_checkpoint(tmp_path / "new" / "a.safetensors", other, fresh) == state
    for key, value in model.state_dict().items():
        assert torch.equal(other.state_dict()[key], value)
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        for key, value in optimiser.state[p].items():
            assert torch.equal(fresh.state[q][key], value)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.safetensors"]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"x": torch.ones(2)}, {"n": 1})
    with pytest.raises(TypeError):
        write_tensors(path, {"x": torch.zeros(2)}, {"n": object()})
    tensors, notes = read_tensors(path)
    assert tensors["x"].tolist() == [1, 1]
    assert notes == {"n": 1}
    assert len(list(tmp_path.iterdir())) == 1


def test_every_truncation_is_a_named_error(tmp_path):
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"x": torch.ones(2)}, {"n": 1})
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match="not a safetensors file"):
            read_tensors(path)


def test_missing_foreign_and_unlike(tmp_path):
    model, optimiser = trained("sgd")
    with pytest.raises(DataError, match="no such file"):
        load_checkpoint(tmp_path / "none", model, optimiser)
    save_file({"x": torch.ones(1)}, tmp_path / "foreign")
    with pytest.raises(DataError, match="not a checkpoint"):
        load_checkpoint(tmp_path / "foreign", model, optimiser)
    save_checkpoint(tmp_path / "a", Checkpoint(Recipe(), ()), model, optimiser)
    with pytest.raises(DataError, match="another network"):
        load_checkpoint(tmp_path / "a", *trained("sgd", width=5))
    write_tensors(tmp_path / "b", {}, {"recipe": {"epochs": "many"}, "history": []})
    with pytest.raises(DataError, match="another network"):
        load_checkpoint(tmp_path / "b", model, optimiser)


def test_a_file_is_as_open_to_others_as_any_and_a_refusal_names_it(tmp_path):
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"x": torch.ones(1)}, {})
    (tmp_path / "other").touch()
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder'"):
        write_tensors(tmp_path / "folder", {"x": torch.ones(1)}, {})
    with pytest.raises(DataError, match=r"cannot be read .*directory"):
        read_tensors(tmp_path / "folder")
    assert {item.name for item in tmp_path.iterdir()} == {"a.safetensors", "other", "folder"}
