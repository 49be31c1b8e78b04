"""The table of names that are imported when they are asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gossamer.errors import UnknownNameError
from gossamer.registry import Registry

REGISTRY = Registry("function", {"square-root": "math:sqrt", "power": "math:pow"})


def test_is_a_mapping() -> None:
    assert list(REGISTRY) == ["square-root", "power"]
    assert len(REGISTRY) == 2
    assert REGISTRY["power"](2, 3) == 8
    assert "power" in REGISTRY
    assert "energy" not in REGISTRY
    assert REGISTRY.get("energy") is None


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="unknown function 'powr'; did you mean 'power'"):
        REGISTRY["powr"]


def test_a_name_near_nothing_lists_all() -> None:
    with pytest.raises(UnknownNameError, match="known: square-root, power"):
        REGISTRY["xyz"]


@pytest.mark.parametrize("name", [None, 3, ("a",)])
def test_names_that_are_not_text(name: object) -> None:
    with pytest.raises(UnknownNameError):
        REGISTRY[name]  # type: ignore[index]


def test_listing_imports_nothing() -> None:
    registry = Registry("ghost", {"ghost": "no_such_module:thing"})
    assert list(registry) == ["ghost"]
    with pytest.raises(ModuleNotFoundError):
        registry["ghost"]


def test_later_changes_of_the_table_do_not_reach_the_registry() -> None:
    table = {"one": "math:pi"}
    registry = Registry("number", table)
    table["two"] = "math:e"
    assert list(registry) == ["one"]


@pytest.mark.parametrize("module", ["gossamer", "gossamer.graph", "gossamer.graph.to_onnx"])
def test_imports_stay_light(module: str) -> None:
    code = (
        f"import {module}, sys; print(sorted({{'torch', 'llvmlite', 'onnx'}} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
