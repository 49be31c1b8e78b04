"""Finding activations, and replacing them wherever they stand."""

import pytest
import torch
from torch import nn

from gossamer.compress.neurons.activations import FUNCTIONS, function_of, match_activations
from gossamer.errors import PassError
from gossamer.nets.blocks.threshold import FUNCTIONS as MEANING
from gossamer.nets.blocks.threshold import Truncated
from gossamer.nets.blocks.winners import KWinners


def test_every_module_has_the_function_that_it_is_said_to_have():
    x = torch.linspace(-5, 5, 20)
    for kind, function in FUNCTIONS.items():
        torch.testing.assert_close(kind()(x), MEANING[function](x))
    assert function_of(Truncated("tanh")) == "tanh"
    assert function_of(KWinners(0.5, function="silu")) == "silu"
    assert function_of(nn.GELU()) is None


def test_a_module_that_stands_twice_is_found_once():
    shared = nn.ReLU()
    model = nn.Sequential(nn.Linear(2, 2), shared, nn.Sequential(nn.Linear(2, 2), shared))
    assert list(match_activations(model, (".*",), (), where="demo")) == ["1"]


@pytest.mark.parametrize(
    ("include", "exclude", "problem"),
    [(("0",), (), "no layer matches"), ((".*",), (".*",), "no layer matches"),
     (("(",), (), "not a regular expression")],
)  # fmt: skip
def test_nothing_found_is_said(include, exclude, problem):
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    with pytest.raises(PassError, match=f"demo: {problem}"):
        match_activations(model, include, exclude, where="demo")
