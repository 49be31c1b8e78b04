import json

import pytest

from gossamer.cli.network_file import NetworkFile, save_network
from gossamer.compress.compress import compress
from gossamer.compress.neurons.truncate import TruncateActivations
from gossamer.compress.neurons.winners import KeepWinners
from gossamer.nets.create import create_model
from gossamer.train.data import load_data
from gossamer.train.recipe import Recipe


@pytest.fixture
def path(tmp_path):
    """A network with other activations than its class gives it, as a file."""
    data = load_data("digits")
    none = Recipe(epochs=0)
    passes = [
        TruncateActivations("threshold", 0.5, include=("blocks.*",), training=none),
        KeepWinners(0.25, include=("stem.*",), training=none),
    ]
    model = create_model("digits-plain", width=8)
    result = compress(model, data.test.batch([0])[0], passes)
    file = NetworkFile("digits-plain", result.model, {"width": 8}, data.record)
    save_network(tmp_path / "cut.safetensors", file)
    return tmp_path / "cut.safetensors"


def test_each_layer_has_a_line_and_the_numbers_add_up(gossamer_program, path):
    done = gossamer_program("activations", path, "--images", "20", "--json")
    assert done.err == ""
    report = json.loads(done.out)
    assert report["network"] == "digits-plain"
    assert sum(own["skippable_macs"] for own in report["layers"]) == report["skippable_macs"]
    assert report["layers"][1]["sparsity"] >= 0.75  # behind the winners
    text = gossamer_program("activations", path, "--images", "20").out
    assert all(own["name"] in text for own in report["layers"])
    assert "total" in text


def test_damaged_notes_are_one_line(gossamer_program, path):
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"k-winners", b"k-losers_"))
    done = gossamer_program("activations", path)
    assert done.status == 2
    assert "its modules are not those of this network" in done.err
