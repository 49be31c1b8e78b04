"""Finds values that are read after an operator has overwritten their memory in place."""

from __future__ import annotations

from torch import fx

from gossamer.graph.from_torch.builder import Call


class Overwritten:
    """Which values of a trace are stale, as its calls are checked in order."""

    def __init__(self) -> None:
        self._memory: dict[fx.Node, fx.Node] = {}
        self._stale: set[fx.Node] = set()

    def check(self, call: Call) -> None:
        """Take note of one call, in order; raise if it reads what no longer exists."""
        node = call.node
        if any(argument in self._stale for argument in node.all_input_nodes):
            raise call.unsupported(
                "reads a value after another view of it was overwritten in place"
            )
        schema = getattr(node.target, "_schema", None)
        alias = schema.returns[0].alias_info if schema and schema.returns else None
        if alias is None or not node.all_input_nodes:
            return
        memory = self._memory.get(node.all_input_nodes[0], node.all_input_nodes[0])
        self._memory[node] = memory
        if alias.is_write:
            views = {other for other, root in self._memory.items() if root is memory} | {memory}
            self._stale |= views - {node}
