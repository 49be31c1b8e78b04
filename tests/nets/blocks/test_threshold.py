"""Truncated activations: their definition, gradient, and what the graph makes of them."""

import numpy as np
import pytest
import torch
from torch import nn

from gossamer.errors import SpecError
from gossamer.graph.export import export
from gossamer.graph.interpret import activate
from gossamer.graph.ops import ACTIVATIONS
from gossamer.nets.blocks.threshold import FUNCTIONS, Truncated


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 3)])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_is_zero_where_the_activation_is_not_above_its_threshold(function, shape):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    limits = torch.tensor([0.0, 0.25, 0.5]).view(3, *(1,) * (len(shape) - 2))
    a = FUNCTIONS[function](x)
    hard, shifted = (Truncated(function, limits.flatten(), shifted=s)(x) for s in (False, True))
    torch.testing.assert_close(hard, a * (a > limits))
    torch.testing.assert_close(shifted, (a - limits).clamp(min=0) if function != "relu" else (
        x - limits).clamp(min=0))  # fmt: skip


def test_functions_are_those_of_the_graph():
    assert list(FUNCTIONS) == list(ACTIVATIONS)
    x = np.linspace(-8, 8, 50)
    for name, function in FUNCTIONS.items():
        np.testing.assert_allclose(function(torch.tensor(x)), activate(x, name), atol=1e-12)


def test_a_threshold_of_zero_makes_fatrelu_a_relu():
    x = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(Truncated("relu", 0.0)(x), torch.relu(x))


def test_the_gradient_goes_through_what_is_left():
    x = torch.tensor([[-1.0, 0.2, 0.7, 2.0]], requires_grad=True)
    Truncated("sigmoid", 0.6)(x).sum().backward()
    slope = torch.sigmoid(x) * (1 - torch.sigmoid(x))
    torch.testing.assert_close(x.grad, slope * torch.tensor([[0.0, 0.0, 1.0, 1.0]]))


def test_nan_stays():
    assert Truncated("relu", 0.5)(torch.tensor([[torch.nan]])).isnan().all()


@pytest.mark.parametrize(
    ("module", "kinds"),
    [
        (Truncated("relu", 0.25), ["conv2d", "threshold"]),
        (Truncated("sigmoid", torch.tensor([0.4, 0.5, 0.6])), ["conv2d", "threshold"]),
        (Truncated("relu", 0.25, shifted=True), ["conv2d"]),
        (Truncated("sigmoid", 0.25, shifted=True), ["conv2d", "scale_shift", "activation"]),
        (nn.Threshold(0.25, 0.0), ["conv2d", "threshold"]),
    ],
)
def test_in_the_graph(module, kinds):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 3, 3), module)
    graph = export(model, torch.randn(2, 2, 8, 7))
    assert [node.op.kind for node in graph.nodes] == kinds
    assert graph.input.free == {0, 2, 3}


@pytest.mark.parametrize(
    "arguments", [("cosine",), ("relu", torch.nan), ("relu", torch.zeros(2, 2))]
)
def test_bad_options_are_refused(arguments):
    with pytest.raises(SpecError):
        Truncated(*arguments)


def test_another_number_below_a_threshold_is_no_operator_of_the_graph():
    from gossamer.errors import UnsupportedOperatorError

    with pytest.raises(UnsupportedOperatorError, match="another number than zero"):
        export(nn.Threshold(0.5, 1.0), torch.zeros(1, 3))

    class Other(nn.Module):
        def forward(self, x):
            return torch.where(x <= 0.5, 0.0, 2 * x)

    with pytest.raises(UnsupportedOperatorError, match="as a threshold only"):
        export(Other(), torch.zeros(1, 3))
