"""The walk over a traced model: labels go in at its weights and run through its operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind

from gossamer.compress.channels import mixing, movement, readers, spatial
from gossamer.compress.channels.arrays import nothing
from gossamer.compress.channels.elementwise import elementwise, is_elementwise
from gossamer.compress.channels.flow import Flow, Weights, place
from gossamer.graph.from_torch.program import fixed_trace
from gossamer.graph.from_torch.traced_call import TracedCall

_RULES: Mapping[str, Callable[[Flow, TracedCall], Any]] = {
    **readers.RULES,
    **mixing.RULES,
    **movement.RULES,
    **spatial.RULES,
}


def follow(model: nn.Module, example: Tensor) -> Flow:
    """Trace a model and return what its channels are tied to.

    Parameters that evaluation does not reach, such as those of auxiliary heads, are followed in
    training mode too.

    Args:
        model: frozen, in evaluation mode.
        example: (N, C, H, W).

    Raises:
        UnsupportedOperatorError: if the model cannot be traced.
    """
    names = canonical_names(model)
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    shapes = {name: tuple(tensors[name].shape) for name in set(names.values())}
    flow = Flow(shapes)
    _walk(flow, fixed_trace(model, example), names)
    unseen = {names[name] for name, _ in model.named_parameters()} - set(flow.tensors)
    if unseen:
        training = fixed_trace(model.train(), torch.cat([example, example]))
        count = len(flow.layers)
        _walk(flow, training, names)
        flow.layers[count:] = [replace(layer, positions=0) for layer in flow.layers[count:]]
        model.eval()
    return flow


def canonical_names(model: nn.Module) -> dict[str, str]:
    """Return name → the first name of the same tensor, for all parameters and buffers."""
    first: dict[int, str] = {}
    names = {}
    for named in (model.named_parameters, model.named_buffers):
        for name, tensor in named(remove_duplicate=False):
            names[name] = first.setdefault(id(tensor), name)
    return names


def _walk(flow: Flow, program: ExportedProgram, names: Mapping[str, str]) -> None:
    for node in program.graph.nodes:
        if node.op == "placeholder":
            _placeholder(flow, node, program, names)
        elif node.op == "call_function":
            flow.values[node] = _call(flow, node)
        elif node.op == "output":
            for made in node.all_input_nodes:
                if isinstance(flow.values[made], Tensor):
                    flow.freeze(flow.values[made], "the output")


def _placeholder(
    flow: Flow, node: fx.Node, program: ExportedProgram, names: Mapping[str, str]
) -> None:
    if not node.users:
        flow.values[node] = nothing(())
        return
    spec = next(s for s in program.graph_signature.input_specs if s.arg.name == node.name)
    target = str(spec.target)
    if spec.kind is InputKind.USER_INPUT:
        flow.values[node] = nothing(node.meta["val"].shape)
        return
    tensor: Any = (program.constants if target in program.constants else program.state_dict)[target]
    name = names.get(target)
    if name is None or not tensor.is_floating_point():
        flow.constants[node] = (name, tensor)
        flow.values[node] = nothing(tensor.shape)
    else:
        flow.values[node] = flow.tensor(name)


def _call(flow: Flow, node: fx.Node) -> Any:
    call = TracedCall(node)
    rule = _RULES.get(str(node.target))
    if rule is None and is_elementwise(node):
        rule = elementwise
    if rule is not None and any(n in flow.values for n in node.all_input_nodes):
        return rule(flow, call)
    return _unknown(flow, call)


def _unknown(flow: Flow, call: TracedCall) -> Any:
    """Keep everything that an operator without a rule reads."""
    for node in call.node.all_input_nodes:
        values = flow.values[node]
        for value in values if isinstance(values, tuple) else (values,):
            if isinstance(value, Tensor | Weights):
                flow.freeze(value, f"{place(call)}, which is not known")
    made = call.node.meta.get("val")
    if isinstance(made, tuple | list):
        return tuple(nothing(part.shape) if isinstance(part, Tensor) else None for part in made)
    return nothing(made.shape) if isinstance(made, Tensor) else None
