"""Which tensor of a file belongs to which of a model: by name, else by order and shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from torch import Tensor

from gossamer.errors import SpecError
from gossamer.nets.weights.order import forward_order
from gossamer.nets.weights.read import WeightFile

# A counter of batches that old files lack and that evaluation does not read.
_COUNTER = "num_batches_tracked"

Layer = dict[str, Tensor]


def pair(state: Mapping[str, Tensor], file: WeightFile) -> dict[str, Tensor]:
    """Return the file's tensors under the names of the model.

    Names that agree decide; a file with other names is compared layer by layer, both in the order
    of the network, and must have the same roles (weight, bias, …) and shapes throughout.

    Args:
        state: the model's state dict, its layers in the order in which they run.
        file: what was read.

    Raises:
        SpecError: naming the first tensor that does not fit.
    """
    model, theirs = _layers(state), _layers(file.tensors)
    if len(model.keys() & theirs.keys()) * 2 > len(model):
        pairs = [(name, name if name in theirs else None) for name in model]
        pairs += [(None, name) for name in theirs if name not in model]
        return _matched(model, theirs, pairs, file)
    problem = SpecError(
        "the names of the file do not tell the order of its layers",
        where=file.path,
        got=next(iter(file.tensors)),
        hint="rename its tensors to those of model.state_dict()",
    )
    for order in (list(theirs) if file.ordered else None, forward_order(theirs)):
        if order is None:
            continue
        try:
            return _matched(model, theirs, list(zip_longest(model, order)), file)
        except SpecError as error:
            problem = error
    raise problem


def _layers(tensors: Mapping[str, Tensor]) -> dict[str, Layer]:
    """Group tensors by the module that has them."""
    layers: dict[str, Layer] = {}
    for name, tensor in tensors.items():
        module, _, role = name.rpartition(".")
        if role != _COUNTER:
            layers.setdefault(module, {})[role] = tensor
    return layers


def _matched(
    model: Mapping[str, Layer],
    theirs: Mapping[str, Layer],
    pairs: Sequence[tuple[str | None, str | None]],
    file: WeightFile,
) -> dict[str, Tensor]:
    """Return the file's tensors by the model's names, or raise at the first that does not fit."""
    found = {}
    for ours, other in pairs:
        expected = model[ours] if ours is not None else {}
        got = theirs[other] if other is not None else {}
        for role in sorted(expected.keys() | got.keys(), reverse=True):
            if role in expected and role in got and expected[role].shape == got[role].shape:
                found[_join(ours, role)] = got[role]
                continue
            raise SpecError(
                f"the weights do not fit the model at {_join(other or ours, role)!r}",
                where=file.path,
                got=_described(other, role, got),
                expected=_described(ours, role, expected),
            )
    return found


def _join(module: str | None, role: str) -> str:
    return f"{module}.{role}" if module else role


def _described(module: str | None, role: str, layer: Layer) -> str:
    if module is None:
        return "no further layer"
    if role not in layer:
        return f"no {role} in layer {module!r}"
    return f"{_join(module, role)} {tuple(layer[role].shape)}"
