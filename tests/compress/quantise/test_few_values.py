import numpy as np
import pytest
import torch

from gossamer.compress.quantise.few_values import METHODS, binary_connect, ternary_weights


def draw(seed, shape=(4, 3, 3, 3)):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


@pytest.mark.parametrize("method", ["bwn", "xnor"])
def test_binary_weights_are_the_nearest(method):
    """Rastegari et al. 2016, equation 6: α = ‖W‖₁/n, B = sign(W) minimise ‖W − αB‖²."""
    weight = draw(0)
    rounded = METHODS[method](weight)(weight)
    for row, found in zip(weight, rounded, strict=True):
        assert found.abs().unique().numel() == 1
        assert torch.equal(found.sign(), row.sign())
        assert float(found.abs().max()) == pytest.approx(float(row.abs().mean()), rel=1e-6)
        least = float((row - found).square().sum())
        for factor in (0.9, 1.1):
            assert float((row - factor * found).square().sum()) > least


def test_ternary_weights_follow_the_rule():
    weight = draw(1)
    rounded = ternary_weights(weight)(weight)
    threshold = 0.7 * weight.abs().mean()
    large = weight.abs() > threshold
    assert torch.equal(rounded != 0, large)
    alpha = float(weight[large].abs().mean())
    np.testing.assert_allclose(rounded[large].abs().numpy(), alpha, rtol=1e-6)
    assert torch.equal(rounded.sign(), weight.sign() * large)


def test_ternary_is_nearer_than_binary_on_normal_weights():
    weight = draw(2, (64, 64))
    errors = {
        method: float((METHODS[method](weight)(weight) - weight).square().mean())
        for method in ("binary-connect", "bwn", "twn")
    }
    # 1 − 2/π = 0.363 for signs; 0.19 for three values near the best threshold (Max 1960).
    assert errors["bwn"] == pytest.approx(0.363, abs=0.03)
    assert errors["twn"] == pytest.approx(0.19, abs=0.02)
    assert errors["binary-connect"] >= errors["bwn"]


def test_binary_connect_keeps_its_size():
    rounding = binary_connect(torch.tensor([[0.5, 0.0, -1.5]]))
    assert rounding(torch.tensor([[9.0, -9.0, 0.0]])).tolist() == [[1.0, -1.0, 1.0]]


@pytest.mark.parametrize("method", list(METHODS))
def test_pruned_weights_and_empty_channels(method):
    weight = draw(3)
    weight[1] = 0
    weight[:, 0] = 0
    alive = weight != 0
    rounded = METHODS[method](weight)(weight) * alive
    assert rounded.isfinite().all()
    assert (rounded[1] == 0).all()
    dense = weight[:, 1:].contiguous()
    again = METHODS[method](dense)(dense) * (dense != 0)
    torch.testing.assert_close(rounded[:, 1:], again)  # zeros say nothing about the others
