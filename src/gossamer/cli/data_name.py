"""`digits`, `mnist`, `folder:PATH@SIZE`: a data set as one word of the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gossamer.train.data import Data


def load_named_data(text: str) -> Data:
    """Load the data set that `NAME`, `NAME:FOLDER` or `folder:FOLDER@SIZE` means."""
    from gossamer.train.data import load_data

    name, _, root = text.partition(":")
    options: dict[str, Any] = {"root": root} if root else {}
    folder, _, size = root.rpartition("@")
    if name == "folder" and folder and size.isdecimal() and not Path(root).exists():
        options = {"root": folder, "size": int(size)}
    return load_data(name, **options)
