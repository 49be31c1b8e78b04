"""What holds for the tree as a whole."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
LARGEST_FILE_LINES = 600


@pytest.mark.parametrize(
    "path", [*SOURCES, *sorted((ROOT / "tests").rglob("*.py"))], ids=lambda p: p.name
)
def test_no_file_is_too_long(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LARGEST_FILE_LINES


def test_no_merge_is_half_done() -> None:
    pages = [ROOT / "mkdocs.yml", *ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    assert not [p for p in pages if "\n<<<<<<< " in p.read_text()]


def test_names_say_something() -> None:
    empty_names = {"util", "utils", "misc", "helper", "helpers", "common"}
    assert not [p for p in SOURCES if empty_names & {*p.parts, p.stem}]


def test_the_order_of_stages_is_the_same_everywhere() -> None:
    """The layers contract, the table of ARCHITECTURE.md and the package docstring agree."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    stages = [name.removeprefix("gossamer.") for name in reversed(layers)]
    folders = [s for s in stages if (ROOT / "src/gossamer" / s).is_dir()]
    rows = [
        line
        for line in (ROOT / "ARCHITECTURE.md").read_text().splitlines()
        if line.startswith("| `")
    ]
    assert [row.split("`")[1].rstrip("/") for row in rows if row.split("`")[1].endswith("/")][
        : len(folders)
    ] == folders
    docstring = (ROOT / "src/gossamer/__init__.py").read_text()
    listed = docstring[docstring.index("the base (") : docstring.index("Importing gossamer")]
    positions = [listed.index(f"`{stage}`") for stage in stages]
    assert sorted(positions) == sorted(set(positions))
    assert [stages[i] for i in sorted(range(len(stages)), key=positions.__getitem__)][5:] == stages[
        5:
    ]


def test_every_stage_is_in_the_layers_contract() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    layers = set(settings["tool"]["importlinter"]["contracts"][0]["layers"])
    modules = {p.stem if p.is_file() else p.name for p in (ROOT / "src/gossamer").iterdir()}
    assert {f"gossamer.{m}" for m in modules - {"__init__", "__pycache__", "py"}} == layers
