"""`digits`, `mnist`, `folder:PATH`: a data set as one word of the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gossamer.train.data import Data


def load_named_data(text: str) -> Data:
    """Load the data set that `NAME` or `NAME:FOLDER` means."""
    from gossamer.train.data import load_data

    name, _, root = text.partition(":")
    return load_data(name, **({"root": root} if root else {}))
