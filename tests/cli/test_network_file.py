import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import gossamer
from gossamer.cli.network_file import NetworkFile, load_graph, load_network, save_network
from gossamer.errors import DataError, SpecError, UnknownNameError
from gossamer.graph.to_onnx import save_onnx
from gossamer.images import InputRecord
from gossamer.nets.create import create_model

RECORD = InputRecord(8, 8, "L", mean=(0.1,), deviation=(0.2,), class_names=("a", "b"))
OPTIONS = {"num_classes": 2, "width": 8}


@pytest.fixture
def model():
    return create_model("digits-plain", **OPTIONS)


@pytest.fixture
def path(model, tmp_path):
    path = tmp_path / "model.safetensors"
    save_network(path, NetworkFile("digits-plain", model, OPTIONS, RECORD))
    return path


def test_the_file_alone_gives_the_network_back(path, model):
    file = load_network(str(path))
    assert (file.network, file.options, file.record) == ("digits-plain", OPTIONS, RECORD)
    assert not file.model.training
    expected = model.state_dict()
    for name, tensor in file.model.state_dict().items():
        assert torch.equal(tensor, expected[name])


def test_a_graph_comes_from_weights_and_from_graphs(path, tmp_path):
    graph = load_graph(str(path))
    assert (graph.name, graph.record) == ("digits-plain", RECORD)
    for suffix, write in ((".goss", gossamer.save), (".ONNX", save_onnx)):
        file = write(graph, tmp_path / f"net{suffix}")
        assert load_graph(str(file)) == graph


def test_a_plain_file_needs_a_name(tmp_path):
    path = tmp_path / "plain.safetensors"
    save_file(create_model("digits-plain").state_dict(), path)
    assert load_network("digits-plain", path).network == "digits-plain"
    with pytest.raises(SpecError, match="which network"):
        load_network(str(path))


def test_name_and_file_must_agree(path):
    with pytest.raises(SpecError, match="another network"):
        load_network("digits-igc", path)


def test_an_unknown_name_is_named(tmp_path):
    path = tmp_path / "plain.safetensors"
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(UnknownNameError, match="digits-plain"):
        load_network("digits-plane", path)
    with pytest.raises(DataError, match="another network"):
        load_network("digits-plain", path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff" * 64])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "other.safetensors"
    path.write_bytes(content)
    with pytest.raises(DataError, match="not a safetensors file"):
        load_network("digits-plain", path)


@pytest.mark.parametrize("notes", ["[]", '"x"', '{"network": 3}', '{"options": [1]}'])
def test_notes_of_another_kind_are_refused(tmp_path, notes):
    path = tmp_path / "other.safetensors"
    save_file({"x": torch.zeros(1)}, path, metadata={"gossamer": notes})
    with pytest.raises(DataError, match="notes are not those of a network"):
        load_network("digits-plain", path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"absent\.safetensors"):
        load_network("digits-plain", tmp_path / "absent.safetensors")


def test_the_example_has_the_records_size(path):
    assert load_network(str(path)).example().shape == (1, 1, 8, 8)
    assert np.count_nonzero(load_network(str(path)).example()) == 0


def test_a_factored_network_comes_back(model, tmp_path):
    from gossamer.compress.compress import compress
    from gossamer.compress.factor.factor import Factor
    from gossamer.train.recipe import Recipe

    x = torch.zeros(1, 1, 8, 8)
    step = Factor("svd", reconstruct=False, training=Recipe(epochs=0))
    small = compress(model, x, [step]).model
    save_network(tmp_path / "small.safetensors", NetworkFile("digits-plain", small, OPTIONS))
    again = load_network(str(tmp_path / "small.safetensors")).model
    assert str(again) == str(small)
    assert torch.equal(again(x), small(x))


def test_a_network_without_some_channels_comes_back(model, tmp_path):
    from gossamer.compress.channels.removal import remove_channels

    x = torch.zeros(1, 1, 8, 8)
    small = remove_channels(model.eval(), x).model
    save_network(tmp_path / "small.safetensors", NetworkFile("digits-plain", small, OPTIONS))
    again = load_network(str(tmp_path / "small.safetensors")).model
    assert torch.equal(again(x), small(x))
    assert sum(p.numel() for p in again.parameters()) < sum(p.numel() for p in model.parameters())


def test_a_network_that_rounds_its_inputs_comes_back(model, tmp_path):
    from gossamer.compress.quantise.layers import RoundedConv2d, round_input
    from gossamer.graph.ops import Quantise

    round_input(model.stem.conv, Quantise(0.5, 3, 0, 255))
    path = tmp_path / "rounds.safetensors"
    save_network(path, NetworkFile("digits-plain", model.eval(), OPTIONS, RECORD))
    again = load_network(str(path)).model
    assert type(again.stem.conv) is RoundedConv2d
    assert again.stem.conv.levels == Quantise(0.5, 3, 0, 255)
    x = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(again(x), model(x))


def test_chains_that_round_come_back(model, tmp_path):
    from gossamer.compress.compress import compress
    from gossamer.compress.factor.factor import Factor
    from gossamer.compress.quantise.layers import RoundedConv2d, round_input
    from gossamer.graph.ops import Quantise
    from gossamer.train.recipe import Recipe

    x, levels = torch.ones(1, 1, 8, 8), Quantise(0.125, 3, 0, 255)
    round_input(model.stem.conv, levels)
    step = Factor("svd", reconstruct=False, include=("stem.conv",), training=Recipe(epochs=0))
    small = compress(model.eval(), x, [step]).model
    path = tmp_path / "small.safetensors"
    save_network(path, NetworkFile("digits-plain", small, OPTIONS))
    again = load_network(str(path)).model
    assert type(again.stem.conv[0]) is RoundedConv2d
    assert again.stem.conv[0].levels == levels
    assert type(again.stem.conv[1]) is torch.nn.Conv2d
    assert torch.equal(again(x), small(x))


def test_levels_of_nothing_are_refused(tmp_path):
    state = create_model("digits-plain").state_dict()
    path = tmp_path / "odd.safetensors"
    save_file({**state, "head._extra_state": torch.tensor([-1.0, 0, 0, 0])}, path)
    with pytest.raises(DataError, match="levels that fit no layer"):
        load_network("digits-plain", path)
