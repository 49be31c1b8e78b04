"""A training checkpoint: one safetensors file, tensors of all that has a state, the rest as JSON.

The JSON text stands in the file's own metadata, so that one rename replaces both together. There
is no generator state to save: order, augmentation and dropout of an epoch follow from the seed and
the epoch's number alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from reprlib import repr as short_repr
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn, optim

from gossamer.errors import DataError
from gossamer.replacing import replacing
from gossamer.train.history import EpochRecord
from gossamer.train.recipe import Recipe
from gossamer.train.step import AfterStep, Stateful

_MODEL, _OPTIMISER, _AFTER = "model.", "optimiser.", "after_step."


@dataclass(frozen=True)
class Checkpoint:
    """Where a training stands.

    Args:
        recipe: what it follows.
        history: one record a finished epoch.
    """

    recipe: Recipe
    history: tuple[EpochRecord, ...]


def write_tensors(
    path: str | Path, tensors: Mapping[str, Tensor], notes: Mapping[str, object]
) -> None:
    """Write tensors and JSON notes to a safetensors file, under a temporary name first."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    copies = {key: value.detach().cpu().clone().contiguous() for key, value in tensors.items()}
    with replacing(path) as partial:
        # Not by save_file, which raises no OSError and shuts the file to other users.
        partial.write_bytes(save(copies, {"gossamer": json.dumps(notes)}))


def read_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a safetensors file, and the notes that `write_tensors` put into it, empty without.

    Raises:
        DataError: if the file is missing, cannot be read, or is not safetensors.
    """
    try:
        with Path(path).open("rb"):  # safetensors itself takes folders and locked files for others
            pass
        with safe_open(path, framework="pt") as file:
            notes = json.loads((file.metadata() or {}).get("gossamer", "{}"))
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise DataError("no such file", where=path) from None
    except (SafetensorError, ValueError) as error:
        raise DataError("not a safetensors file", where=path, got=error) from None
    except OSError as error:
        raise DataError("the file cannot be read", where=path, got=error.strerror) from None
    if not isinstance(notes, dict):
        raise DataError("its notes are not those of a network", where=path, got=short_repr(notes))
    return tensors, notes


def save_checkpoint(
    path: str | Path,
    state: Checkpoint,
    model: nn.Module,
    optimiser: optim.Optimizer,
    after_step: Sequence[AfterStep] = (),
) -> None:
    """Write a checkpoint file."""
    tensors = {_MODEL + key: value for key, value in model.state_dict().items()}
    for number, call in enumerate(after_step):
        if isinstance(call, Stateful):
            tensors |= {f"{_AFTER}{number}.{k}": v for k, v in call.state_dict().items()}
    for name, parameter in model.named_parameters():
        for key, value in optimiser.state[parameter].items():
            if isinstance(value, Tensor):
                tensors[f"{_OPTIMISER}{name}.{key}"] = value
    write_tensors(path, tensors, asdict(state))


def load_checkpoint(
    path: str | Path,
    model: nn.Module,
    optimiser: optim.Optimizer,
    after_step: Sequence[AfterStep] = (),
) -> Checkpoint:
    """Put a checkpoint's tensors to where they came from, and return where the training stood.

    Raises:
        DataError: if the file cannot be read or belongs to another network.
    """
    tensors, notes = read_tensors(path)
    if not {"recipe", "history"} <= set(notes):
        raise DataError("not a checkpoint of gossamer", where=path)
    weights = _part(tensors, _MODEL)
    try:
        recipe = Recipe.from_dict(notes["recipe"])
        history = tuple(EpochRecord(**record) for record in notes["history"])
        model.load_state_dict(weights)
        for number, call in enumerate(after_step):
            if isinstance(call, Stateful):
                call.load_state_dict(_part(tensors, f"{_AFTER}{number}."))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise DataError(
            "the checkpoint is of another network",
            where=path,
            got=short_repr(str(error)),
            hint="remove it, or train without resume",
        ) from None
    parameters = dict(model.named_parameters())
    for label, value in _part(tensors, _OPTIMISER).items():
        name, key = label.rsplit(".", 1)
        # Adam keeps its step counter on the CPU; everything shaped like the weight follows it.
        home = parameters[name].device if value.ndim else value.device
        optimiser.state[parameters[name]][key] = value.to(home)
    return Checkpoint(recipe, history)


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
