import json

import pytest
import torch

import gossamer
from gossamer.cli.network_file import NetworkFile, save_network
from gossamer.nets.create import create_model


@pytest.fixture
def network(tmp_path):
    torch.manual_seed(0)
    save_network(
        tmp_path / "net.safetensors", NetworkFile("digits-plain", create_model("digits-plain"))
    )
    return tmp_path / "net.safetensors"


def test_a_file_comes_near_the_asked_size(gossamer_program, network, tmp_path):
    options = "--size 6000 --images 32 --trials 100 --out small.goss --json"
    done = gossamer_program("encode", network, *options.split())
    assert done.status == 0, done.err
    made = json.loads(done.out)
    assert made["size_bytes"] == (tmp_path / "small.goss").stat().st_size
    assert 5500 < made["size_bytes"] <= 6000
    assert 0 <= made["accuracy"] <= 1
    assert gossamer.load("small.goss").name == "digits-plain"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ("", "ask for one of both"),
        ("--size 9000 --accuracy 0.5", "ask for one of both"),
        ("--size 9000 --images 100000", "no image is left"),
        ("--accuracy 1 --images 16 --trials 500", "has not that accuracy"),
        ("--size 10 --images 8", "10 bytes"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(gossamer_program, network, options, problem):
    done = gossamer_program("encode", network, *options.split())
    assert done.status == 2
    assert problem in done.err
