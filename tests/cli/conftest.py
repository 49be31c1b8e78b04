"""A tiny network as a file, and the program called in this process."""

from collections import namedtuple

import numpy as np
import pytest

import gossamer
from gossamer.cli.main import main
from gossamer.graph import Codebook, Dense, Graph, Input, Node
from gossamer.graph.ops import Conv2d, Flatten, GlobalAvgPool, Linear
from gossamer.images import InputRecord

Finished = namedtuple("Finished", "status out err")


@pytest.fixture
def gossamer_program(capsys, monkeypatch, tmp_path):
    """Run `gossamer ARGUMENTS` in an empty folder: status, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        return Finished(status, *capsys.readouterr())

    return call


def tiny_graph() -> Graph:
    rng = np.random.default_rng(0)
    conv = rng.choice(np.array([0, 0, 0, 0.5, -1], np.float32), (4, 1, 3, 3))
    linear = rng.standard_normal((3, 4)).astype(np.float32)
    return Graph(
        Input("input", (1, 1, 6, 6)),
        (
            Node(
                "conv", Conv2d(padding=(1, 1, 1, 1), activation="relu"), ("input",), {"weight": "c"}
            ),
            Node("pool", GlobalAvgPool(), ("conv",)),
            Node("flat", Flatten(), ("pool",)),
            Node("fc", Linear(), ("flat",), {"weight": "f"}),
        ),
        "fc",
        {"c": Codebook.from_dense(conv), "f": Dense(linear)},
        InputRecord(6, 6, "L", mean=(0.5,), deviation=(0.5,), class_names=("ant", "bee", "cat")),
        "tiny",
    )


@pytest.fixture
def net(tmp_path):
    return gossamer.save(tiny_graph(), tmp_path / "tiny.goss")


@pytest.fixture
def picture(tmp_path):
    from PIL import Image

    path = tmp_path / "picture.png"
    pixels = np.random.default_rng(1).integers(0, 256, (9, 7), np.uint8)
    Image.fromarray(pixels).save(path)
    return path
