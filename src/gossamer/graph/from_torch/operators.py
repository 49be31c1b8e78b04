"""The table of handlers: aten operator → function that adds its nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gossamer.graph.from_torch import (
    arithmetic,
    channels,
    convolutions,
    opaque,
    pooling,
    reshaping,
    rounding,
)
from gossamer.graph.from_torch.builder import Call

HANDLERS: Mapping[str, Callable[[Call], Any]] = {
    **convolutions.HANDLERS,
    **pooling.HANDLERS,
    **arithmetic.HANDLERS,
    **reshaping.HANDLERS,
    **channels.HANDLERS,
    **opaque.HANDLERS,
    **rounding.HANDLERS,
}
