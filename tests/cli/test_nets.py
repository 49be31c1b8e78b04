import json
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from gossamer.nets.registry import NETWORKS


def test_every_network_is_listed(gossamer_program):
    listed = json.loads(gossamer_program("nets", "--json").out)
    assert [network["name"] for network in listed] == list(NETWORKS)
    assert all(network["params"] > 0 for network in listed)
    assert {*listed[0]} == {"name", "params", "macs", "input_shape", "source", "paper"}


def test_the_text_has_one_line_a_network(gossamer_program):
    lines = gossamer_program("nets").out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(NETWORKS)
    (vgg,) = [line for line in lines if line.startswith("vgg-16 ")]
    assert "138 M" in vgg
    assert vgg.split()[-2:] == ["138,357,544", "15,470,264,320"]


def test_one_network_is_a_table_and_a_picture(gossamer_program, tmp_path):
    done = gossamer_program("nets", "digits-igc")
    assert (done.status, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].startswith("digits-igc, ")
    assert lines[2].split() == [
        *("1", "stem.conv", "conv", "3×3", "+", "affine", "+", "relu", "0", "96×8×8"),
        *("1,056", "55,296"),
    ]
    assert lines[-1] == "wrote digits-igc.svg"
    root = ElementTree.parse(tmp_path / "digits-igc.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert [path.name for path in tmp_path.iterdir()] == ["digits-igc.svg"]


def test_one_network_as_json(gossamer_program, tmp_path):
    done = gossamer_program("nets", "lenet-5", "--json", "--out", "pictured.svg")
    network = json.loads(done.out)
    assert network["params"] == sum(layer["parameters"] for layer in network["layers"]) == 431_080
    assert network["picture"] == "pictured.svg"
    assert (tmp_path / "pictured.svg").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["lenet-6"], "did you mean 'lenet-5'"),
        (["../lenet-5"], "unknown network"),
        (["lenet-5", "--out", "lenet.png"], "NAME.svg"),
        (["lenet-5", "--out", "absent/lenet.svg"], "no such folder"),
        (["--out", "all.svg"], "NAME"),
        (["lenet-5", "lenet-300-100"], "lenet-300-100"),
    ],
)
def test_bad_input_is_one_clear_line(gossamer_program, tmp_path, arguments, says):
    done = gossamer_program("nets", *arguments)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("gossamer: ")
    assert done.err.count("\n") == 1
    assert says in done.err
    assert not list(tmp_path.iterdir())


def test_help_needs_no_torch():
    program = (
        "import sys; from gossamer.cli.main import main; main(['nets', '--help']); "
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 0
    assert b"NAME" in done.stdout
