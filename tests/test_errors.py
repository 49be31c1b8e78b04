"""Errors say where, what was got, what was expected, and the next step."""

from __future__ import annotations

import inspect

import pytest

from gossamer import errors
from gossamer.errors import GossamerError, MissingDependencyError, missing_dependency

ALL = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, GossamerError)]


@pytest.mark.parametrize(
    ("details", "text"),
    [
        ({}, "it broke"),
        ({"where": "node 'a'"}, "node 'a': it broke"),
        ({"got": 3}, "it broke (got 3)"),
        ({"expected": (1, 2)}, "it broke (expected (1, 2))"),
        ({"got": 0, "expected": 1}, "it broke (got 0, expected 1)"),
        ({"hint": "try again"}, "it broke; try again"),
        (
            {"where": "x", "got": 1, "expected": 2, "hint": "do"},
            "x: it broke (got 1, expected 2); do",
        ),
    ],
)
def test_text(details: dict, text: str) -> None:
    assert str(GossamerError("it broke", **details)) == text


@pytest.mark.parametrize("cls", ALL)
def test_every_error_reads_the_same_and_keeps_its_parts(cls: type[GossamerError]) -> None:
    error = cls("it broke", where="x", got=1)
    assert str(error) == "x: it broke (got 1)"
    assert (error.problem, error.where, error.got, error.hint) == ("it broke", "x", 1, None)
    assert cls.__doc__


@pytest.mark.parametrize(
    ("cls", "builtin"),
    [
        (errors.SpecError, ValueError),
        (errors.ShapeError, ValueError),
        (errors.GraphError, ValueError),
        (errors.FormatError, ValueError),
        (errors.LimitExceededError, errors.FormatError),
        (errors.UnsupportedOperatorError, errors.GraphError),
        (errors.CompileError, RuntimeError),
        (errors.UnknownNameError, KeyError),
        (errors.MissingDependencyError, ImportError),
    ],
)
def test_callers_may_catch_the_fitting_builtin(cls: type, builtin: type) -> None:
    assert issubclass(cls, builtin)


def test_a_missing_extra_is_named():
    error = missing_dependency(ModuleNotFoundError("No module named 'torch'", name="torch._C"))
    assert isinstance(error, MissingDependencyError)
    assert "needs torch" in str(error)
    assert "[train]" in str(error)


def test_other_missing_modules_stay_what_they_are():
    error = ModuleNotFoundError("No module named 'nosuch'", name="nosuch")
    assert missing_dependency(error) is error
