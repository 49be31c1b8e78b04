"""One operator of a trace: its arguments by name, and where in the model it stands."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Any

from torch import fx

_LINE = re.compile(r'File "([^"]+)", line (\d+)')


class TracedCall:
    """An operator of a trace.

    Args:
        node: of the trace.
    """

    def __init__(self, node: fx.Node) -> None:
        self.node = node
        schema = getattr(node.target, "_schema", None)
        self.arguments: dict[str, Any] = dict(node.kwargs)
        for position, argument in enumerate(schema.arguments if schema else ()):
            if position < len(node.args):
                self.arguments[argument.name] = node.args[position]
            else:
                self.arguments.setdefault(argument.name, argument.default_value)

    def __getitem__(self, name: str) -> Any:
        return self.arguments[name]

    @property
    def path(self) -> str:
        """Where in the model: the path of the innermost module, "" for the network itself."""
        stack = self.node.meta.get("nn_module_stack") or {}
        path = str(list(stack.values())[-1][0]) if stack else ""
        return "" if path.startswith("_empty") else path.split("@")[0]

    @property
    def place(self) -> str:
        """The module's path and the line of the source, as far as they are known."""
        place = f"module {self.path!r}" if self.path else "the network itself"
        for file, line in reversed(_LINE.findall(self.node.meta.get("stack_trace") or "")):
            if "torch" not in PurePath(file).parts:
                return f"{place}, {PurePath(file).name} line {line}"
        return place
