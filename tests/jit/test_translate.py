"""Translated functions against Python: the same text, the same results."""

import random
from types import FunctionType

import numpy as np
import pytest

from gossamer.errors import CompileError
from gossamer.jit.loop import I16, I32, I64, U8, U16, U32, Int, Loop
from gossamer.jit.translate import translate

NINE = 9


def arithmetic(a: Int, b: Int) -> Int:
    one = a + b * 3 - (a ^ b) + (a & b) - (a | b)
    one += -a + ~b
    one -= a >> 3
    one ^= b << 2
    return one + NINE


def divisions(a: Int, b: Int) -> Int:
    return a // b * 1000 + a % b


def choices(a: Int, b: Int) -> Int:
    smaller = min(a, b) if a != b else abs(a)
    if (a < b and b < 10) or not a > 3:
        return max(smaller, -5) + (a >= b)
    if a <= b or a == 7:
        smaller += 1
    elif a > 90:
        pass
    else:
        smaller -= 2
    return smaller + abs(b).bit_length()


def loops(a: Int, b: Int) -> Int:
    total = 0
    for i in range(a % 20):
        if i == b % 7:
            continue
        if total > 500:
            break
        for j in range(i, 12, 3):
            total += i * j
    for k in range(10, b % 5, -2):
        total = 2 * total + k
    while total > 1000:
        total = total // 3
    return total + i + k if a % 20 else total


def decreasing(count: Int) -> Int:
    return 0 if count <= 0 else count + decreasing(count - 1)


@pytest.mark.parametrize("function", [arithmetic, divisions, choices, loops])
def test_integers_are_those_of_python(function):
    rng = random.Random(function.__name__)
    loop = Loop(function)
    for _ in range(300):
        a, b = rng.randint(-100, 100), rng.randint(-100, 100) or 1
        assert loop(a, b) == loop.plain(a, b) == function(a, b)


def test_functions_call_each_other_and_themselves():
    assert Loop(decreasing)(10) == 55


def every_array(a: U8, b: U16, c: I16, d: U32, e: I32, f: I64, count: Int) -> Int:
    total = 0
    for i in range(count):
        total += a[i] + b[i] + c[i] + d[i] + e[i] + f[i]
        a[i] = 255 - a[i]
        b[i] = 65535 - b[i]
        c[i] = -1 - c[i]
        d[i] = 4294967295 - d[i]
        e[i] += -1 - 2 * e[i]
        f[i] = f[i] - 1
    return total


def test_arrays_have_their_widths_and_signs():
    rng = np.random.default_rng(4)
    kinds = (np.uint8, np.uint16, np.int16, np.uint32, np.int32)
    arrays = [
        rng.integers(np.iinfo(kind).min, np.iinfo(kind).max, 50, kind, endpoint=True)
        for kind in kinds
    ]
    arrays.append(rng.integers(-(2**40), 2**40, 50))
    copies = [array.copy() for array in arrays]
    loop = Loop(every_array)
    assert loop(*arrays, 50) == loop.plain(*copies, 50)
    for array, copy in zip(arrays, copies, strict=True):
        assert (array == copy).all()


def test_arrays_are_checked():
    loop = Loop(every_array)
    with pytest.raises(TypeError, match="U8"):
        loop(*[np.zeros(4, np.int64)] * 6, 4)
    with pytest.raises(TypeError, match="contiguous"):
        loop(np.zeros(8, np.uint8)[::2], *[np.zeros(4)] * 5, 4)


def test_plain_python_refuses_what_does_not_fit():
    def store(values: U8, value: Int) -> Int:
        values[0] = value
        return 0

    with pytest.raises(ValueError, match="format"):
        Loop(store).plain(np.zeros(1, np.uint8), 256)
    with pytest.raises(IndexError):
        Loop(store).plain(np.zeros(0, np.uint8), 1)


def power(a: Int) -> Int:
    return a**2


def floating(a: Int) -> Int:
    return a / 2


def unknown(a: Int) -> Int:
    return nowhere(a)  # noqa: F821  # pyright: ignore[reportUndefinedVariable]


def listed(a: Int) -> Int:
    return [a][0]


def untyped(a) -> Int:
    return a + 1


def shadowed(a: U8) -> Int:
    a = 1
    return a + 1


def half(a: Int) -> Int:
    return a >> 1


elsewhere = FunctionType(half.__code__, {}, "other")
elsewhere.__name__, elsewhere.__annotations__ = "half", half.__annotations__


def two_of_one_name(a: Int) -> Int:
    return half(a) + elsewhere(a)


@pytest.mark.parametrize(
    "function", [power, floating, unknown, listed, untyped, shadowed, two_of_one_name]
)
def test_what_is_not_understood_is_named(function):
    with pytest.raises(CompileError):
        translate(function)
