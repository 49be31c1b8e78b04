"""Weight files: safetensors, or torch checkpoints read without running anything in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from gossamer.errors import DataError

# Where checkpoints keep the weights beside other things, and what data parallelism puts before
# every name.
_HOLDERS = ("state_dict", "model")
_PREFIX = "module."


@dataclass(frozen=True)
class WeightFile:
    """What a file holds.

    Args:
        path: of the file.
        tensors: by name.
        ordered: whether the names stand in the order in which their network registered them;
            safetensors sorts them.
    """

    path: Path
    tensors: Mapping[str, Tensor]
    ordered: bool


def read_weights(path: str | Path) -> WeightFile:
    """Read a weight file; which kind it is, its first bytes say.

    Args:
        path: a safetensors file, or a torch checkpoint: a state dict, alone or under the key
            `state_dict` or `model`. A prefix `module.` of all names is dropped.

    Raises:
        DataError: if the file is missing, damaged, needs code to be run, or holds other things
            than named tensors.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            is_safetensors = file.read(9)[8:] == b"{"
        if is_safetensors:
            content: object = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise DataError("no such file", where=path) from None
    # A damaged file may end in any error deep inside the readers.
    except Exception as error:
        raise DataError(
            "not a weight file that can be read",
            where=path,
            got=str(error).strip().partition("\n")[0],
            expected="safetensors, or a torch checkpoint of tensors only",
        ) from None
    return WeightFile(path, _named_tensors(content, path), ordered=not is_safetensors)


def _named_tensors(content: object, path: Path) -> dict[str, Tensor]:
    for holder in _HOLDERS:
        if isinstance(content, Mapping) and isinstance(content.get(holder), Mapping):
            content = content[holder]
    if (
        not isinstance(content, Mapping)
        or not content
        or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in content.items())
    ):
        raise DataError(
            "holds no state dict", where=path, got=type(content).__name__, expected="named tensors"
        )
    prefix = _PREFIX if all(name.startswith(_PREFIX) for name in content) else ""
    return {name.removeprefix(prefix): tensor for name, tensor in content.items()}
