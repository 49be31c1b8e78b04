from dataclasses import dataclass

import pytest

from gossamer.errors import SpecError
from gossamer.train.options import options_from_dict, options_to_dict


@dataclass(frozen=True)
class Inner:
    depth: int = 1


@dataclass(frozen=True)
class Outer:
    rate: float = 0.5
    names: tuple[str, ...] = ("a",)
    inner: Inner = Inner()
    flag: bool = False


def read(data):
    return options_from_dict(Outer, data, where="outer")


def test_round_trip():
    options = Outer(0.25, ("x", "y"), Inner(3), True)
    plain = options_to_dict(options)
    assert plain == {"rate": 0.25, "names": ["x", "y"], "inner": {"depth": 3}, "flag": True}
    assert read(plain) == options
    assert read({}) == Outer()


def test_integer_becomes_float():
    assert isinstance(read({"rate": 1}).rate, float)


@pytest.mark.parametrize(
    "data",
    [
        {"rate": "0.5"},
        {"rate": True},
        {"names": "abc"},
        {"names": [1]},
        {"flag": 1},
        {"inner": 3},
        {"inner": {"depth": 1.0}},
        {"inner": {"deep": 1}},
        {"unknown": 1},
        {3: 1},
        [],
        None,
    ],
)
def test_wrong_types_and_names_are_refused(data):
    with pytest.raises(SpecError, match="outer"):
        read(data)
