from __future__ import annotations

import ctypes

import numpy as np
import pytest
from llvmlite import ir

from gossamer.compile.kernels.activation import activate
from gossamer.compile.kernels.exponential import exp
from gossamer.graph.activations import ACTIVATIONS, leaky_relu
from gossamer.graph.interpret import activate as meaning
from gossamer.jit.emitter import FLOAT, INT64, POINTER, Emitter, Value
from gossamer.jit.target import host_target
from gossamer.jit.toolchain import compile_ir

VALUES = np.array(
    [-np.inf, -100, -87.5, -10, -3, -1, -1e-3, 0, 1e-3, 1, 3, 6, 7, 88, 100, np.inf, np.nan]
)


def apply(function: str, values: np.ndarray) -> np.ndarray:
    """Run an activation ("exp" too) over floats, vector by vector and one by one."""
    module = ir.Module("test")
    e = Emitter(module, "apply", [POINTER, POINTER, INT64], host_target().lanes)
    source, target, count = e.arguments

    def write(x: Value) -> Value:
        return exp(e, x) if function == "exp" else activate(e, x, function)

    with e.loop(0, count) as index:
        offset = e.multiply(index, 4)
        one = e.load(FLOAT, source, offset)
        many = e.builder.extract_element(write(e.splat(one)), e.integer(0))
        e.store(write(one), target, e.multiply(index, 8))
        e.store(many, target, e.add(e.multiply(index, 8), 4))
    e.finish()
    code = compile_ir(str(module), host_target())
    x, y = values.astype(np.float32), np.zeros((len(values), 2), np.float32)
    call = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(
        code.address("apply")
    )
    call(x.ctypes.data, y.ctypes.data, len(x))
    assert np.array_equal(y[:, 0], y[:, 1], equal_nan=True)
    return y[:, 0]


ALL = (*ACTIVATIONS, *map(leaky_relu, (0.1, 0.01, -0.5, 2.0)))


@pytest.mark.parametrize("function", ALL)
def test_activation_equals_its_meaning(function: str) -> None:
    values = VALUES[np.isfinite(VALUES)].astype(np.float32)
    assert np.allclose(apply(function, values), meaning(values, function), rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("function", ALL)
def test_what_is_not_a_number_stays(function: str) -> None:
    assert np.isnan(apply(function, VALUES)[-1])


@pytest.mark.parametrize("function", ["relu", "relu6", "sigmoid", "tanh", "hard_sigmoid", "erf"])
def test_infinities_reach_the_limits(function: str) -> None:
    got = apply(function, np.array([-np.inf, np.inf]))
    with np.errstate(invalid="ignore"):
        assert np.allclose(got, meaning(np.array([-np.inf, np.inf]), function), atol=1e-30)


def test_exponential_to_two_units_in_the_last_place() -> None:
    x = np.random.default_rng(0).uniform(-86.9, 87.9, 20_000).astype(np.float32)
    exact = np.exp(x.astype(np.float64))
    assert np.abs(apply("exp", x) / exact - 1).max() < 2.5e-7


def test_tanh_keeps_its_digits_near_zero() -> None:
    x = np.geomspace(1e-6, 20, 20_000).astype(np.float32)
    exact = np.tanh(x.astype(np.float64))
    assert np.abs(apply("tanh", x) / exact - 1).max() < 1e-6
    assert np.abs(apply("tanh", -x) / exact + 1).max() < 1e-6


def test_silu_and_sigmoid_round_like_sums_do() -> None:
    x = np.random.default_rng(0).uniform(-100, 100, 40_000).astype(np.float32)
    exact = 1 / (1 + np.exp(-x.astype(np.float64)))
    assert np.abs(apply("sigmoid", x) - exact).max() < 1.2e-7
    assert (np.abs(apply("silu", x) - x * exact) < 2e-7 * (1 + np.abs(x * exact))).all()


def test_silu_of_the_lowest_is_no_number() -> None:
    """As in the interpreter: minus infinity times nothing."""
    assert np.isnan(apply("silu", np.array([-np.inf]))).all()
    assert apply("silu", np.array([np.inf])) == np.inf


@pytest.mark.parametrize(("function", "bound"), [("erf", 5e-7), ("gelu", 1e-6)])
def test_the_normal_distribution_keeps_its_digits(function: str, bound: float) -> None:
    """Near zero, where erf crosses over to the tail, and where GELU has almost reached zero."""
    sizes = np.concatenate([np.geomspace(1e-6, 1, 10_000), np.linspace(0.9, 12.5, 20_000)])
    x = np.concatenate([sizes, -sizes]).astype(np.float32)
    exact = meaning(x.astype(np.float64), function)
    assert np.abs(apply(function, x) / exact - 1).max() < bound


def test_gelu_by_tanh_keeps_its_digits() -> None:
    x = np.linspace(-5, 5, 20_001)
    x = x[np.abs(x) > 1e-6].astype(np.float32)
    exact = meaning(x.astype(np.float64), "gelu_tanh")
    error = np.abs(apply("gelu_tanh", x) - exact)
    assert (error / np.abs(exact))[x > -2].max() < 1e-6
    assert error.max() < 1e-6


@pytest.mark.parametrize("function", ["gelu", "gelu_tanh", leaky_relu(0.1)])
def test_what_is_very_large_stays(function: str) -> None:
    with np.errstate(over="ignore"):
        assert apply(function, np.array([np.inf, 3e38])).tolist() == [np.inf, np.float32(3e38)]


def test_what_is_far_below_zero() -> None:
    x = np.array([-1e4, -20.0])
    assert np.abs(apply("gelu", x)).max() < 1e-30
    assert apply(leaky_relu(0.5), np.array([-np.inf, -3e38])).tolist() == [
        -np.inf,
        np.float32(-1.5e38),
    ]
