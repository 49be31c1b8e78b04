"""Options that several verbs take."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads of each engine.")]
Seed = Annotated[int, typer.Option(min=0, help="Same seed, same result.")]
NetFile = Annotated[Path, typer.Argument(metavar="NET.GOSS", help="A .goss or .onnx file.")]
Profile = Annotated[
    str | None,
    typer.Option(
        help="small: fewest bytes; fast: least time to read.  [default: small up to 2 million]"
    ),
]
DataName = Annotated[
    str,
    typer.Option(
        "--data", help="digits, mnist, mnist:FOLDER or folder:FOLDER@SIZE; 32 pixels without @SIZE."
    ),
]


def split_names(values: Sequence[str] | None) -> list[str]:
    """Return the names in an option that may be repeated and takes commas, each once.

    Examples:
        >>> split_names(["mnn,openvino", "mnn"])
        ['mnn', 'openvino']
    """
    names = (name.strip() for value in values or () for name in value.split(","))
    return list(dict.fromkeys(name for name in names if name))
