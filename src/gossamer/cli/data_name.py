"""`digits`, `mnist`, `folder:PATH`: a data set as one word of the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gossamer.errors import SpecError

if TYPE_CHECKING:
    from gossamer.train.data import Data


def load_named_data(text: str) -> Data:
    """Load the data set that `NAME`, `NAME:FOLDER` or `folder:FOLDER@SIZE` means.

    Raises:
        SpecError: if the data set needs a folder and none is given, or the other way round.
        GossamerError: as `load_data` does.
    """
    from gossamer.train.data import load_data

    name, _, root = text.partition(":")
    if (name == "digits" and root) or (name == "folder" and not root):
        raise SpecError(
            "this takes no folder" if root else "this needs a folder",
            where="--data",
            got=text,
            expected="digits, mnist, mnist:FOLDER or folder:FOLDER@SIZE",
        )
    options: dict[str, Any] = {"root": root} if root else {}
    folder, _, size = root.rpartition("@")
    if name == "folder" and folder and size.isdecimal() and not Path(root).exists():
        options = {"root": folder, "size": int(size)}
    return load_data(name, **options)
