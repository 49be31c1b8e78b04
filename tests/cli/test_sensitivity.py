import json

import pytest

from gossamer.cli.network_file import NetworkFile, save_network
from gossamer.nets.create import create_model
from gossamer.train.data import load_data


@pytest.fixture
def path(tmp_path):
    model = create_model("digits-plain", width=4)
    file = NetworkFile("digits-plain", model, {"width": 4}, load_data("digits").record)
    save_network(tmp_path / "net.safetensors", file)
    return tmp_path / "net.safetensors"


def test_a_row_a_layer_and_a_picture(gossamer_program, path, tmp_path):
    few = ("--levels", "0.5,0.9", "--images", "20", "--out", "layers.svg")
    done = gossamer_program("sensitivity", path, *few, "--json")
    assert done.err == ""
    report = json.loads(done.out)
    assert report["levels"] == [0.5, 0.9]
    assert report["curves"][0]["layers"] == ["stem.conv"]
    assert (tmp_path / report["picture"]).read_text().startswith("<svg")
    done = gossamer_program("sensitivity", path, *few, "--over", "channels")
    assert "stem.conv" in done.out
    assert "wrote layers.svg" in done.out


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--levels", "half"), "levels are numbers"),
        (("--levels", "1.5"), "level out of range"),
        (("--over", "depth"), "nothing to measure"),
        (("--out", "layers.png"), "NAME.svg"),
    ],
)
def test_mistakes_are_one_line(gossamer_program, path, options, problem):
    done = gossamer_program("sensitivity", path, *options)
    assert done.status == 2
    assert problem in done.err
    assert len(done.err.splitlines()) == 1
